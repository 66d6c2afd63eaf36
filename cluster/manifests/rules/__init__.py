"""What the manifests must obey beyond their schemas: rules of KubeRay's operator and of this house; knows no file."""
