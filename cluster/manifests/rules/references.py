"""Rules about names that point to other objects: what is named must be there; judges no object's content."""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Body, Manifest, Overlay
from cluster.manifests.rules.parts import at, join, pods
from cluster.manifests.rules.rights import is_ours
from cluster.manifests.rules.rule import Change, Found, Rule
from cluster.settings import Settings

SECRETS: Mapping[str, frozenset[str]] = {
    "retail-secrets": frozenset({"RETAIL_WAREHOUSE_URL", "RETAIL_STORAGE_OPTIONS"}),
    "retail-redis": frozenset({"password"}),
    "retail-ray-auth": frozenset({"auth_token"}),
}
"""Secrets that are made on the cluster, with their keys; docs/kubernetes.md gives the commands."""
BUILT_IN_PRIORITIES = {"system-cluster-critical", "system-node-critical"}
PREFIX = "RETAIL_"
CONFIG_MAP_KEYS = frozenset({"configMapRef", "configMapKeyRef", "configMap"})
SECRET_KEYS = frozenset({"secretRef", "secretKeyRef", "secret", "authOptions"})


def _under(body: Any, keys: frozenset[str], path: tuple[object, ...] = ()) -> Iterator[tuple[str, str, Body]]:
    """Give every mapping that stands under one of the keys: its path, the key, itself."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        if isinstance(value, dict | list):
            if key in keys and isinstance(value, dict):
                yield join(*path, key), key, value
            yield from _under(value, keys, (*path, key))


def _config_maps(overlay: Overlay) -> Iterator[Found]:
    known = {manifest.name: set(manifest.body.get("data") or {}) for manifest in overlay.of("ConfigMap")}
    for manifest in overlay.objects:
        for path, key, value in _under(manifest.body, CONFIG_MAP_KEYS):
            wanted = {value["key"]} if key == "configMapKeyRef" else {item["key"] for item in value.get("items") or ()}
            if value.get("name") not in known or not wanted <= known[value["name"]]:
                yield Found(
                    manifest, path,
                    f"No ConfigMap {value.get('name')} {f'with {min(wanted)} ' if wanted else ''}is rendered: the"
                    " pod would wait for it", "Name one that is in the overlay, and its keys.",
                )  # fmt: skip


def _named_secrets(manifest: Manifest) -> Iterator[tuple[str, str, set[str]]]:
    for path, key, value in _under(manifest.body, SECRET_KEYS):
        if key in {"secretRef", "secretKeyRef"}:
            yield path, str(value.get("name")), {str(value["key"])} if "key" in value else set()
        elif key == "secret" and "secretName" in value:
            yield path, str(value["secretName"]), {str(item["key"]) for item in value.get("items") or ()}
        elif key == "authOptions" and "secretName" in value:
            yield f"{path}.secretName", str(value["secretName"]), {"auth_token"}


def _secrets(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.objects:
        for path, name, keys in _named_secrets(manifest):
            if name not in SECRETS or not keys <= SECRETS[name]:
                yield Found(
                    manifest, path, f"Nobody is told to make a Secret {name}{f' with {min(keys)}' if keys else ''}",
                    f"Name one of {', '.join(SECRETS)}, or add it to the list in rules/references.py and to the docs.",
                )  # fmt: skip


def _claims(overlay: Overlay) -> Iterator[Found]:
    known = {manifest.name for manifest in overlay.of("PersistentVolumeClaim")}
    for pod in pods(overlay):
        for position, volume in enumerate(pod.spec.get("volumes") or ()):
            claim = at(volume, "persistentVolumeClaim.claimName")
            if claim and claim not in known:
                yield pod.found(
                    f"spec.volumes.{position}.persistentVolumeClaim.claimName", f"{claim} is not in the overlay",
                    "Name a PersistentVolumeClaim of the overlay.",
                )  # fmt: skip


def _mounts(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        known = {volume["name"] for volume in pod.spec.get("volumes") or ()}
        for container in pod.containers():
            for position, mount in enumerate(container.body.get("volumeMounts") or ()):
                if mount["name"] not in known:
                    yield container.found(
                        f"volumeMounts.{position}.name",
                        f"The pod has no volume {mount['name']}",
                        "Name one of its own.",
                    )


def _priorities(overlay: Overlay) -> Iterator[Found]:
    known = {manifest.name for manifest in overlay.of("PriorityClass")} | BUILT_IN_PRIORITIES
    for pod in pods(overlay):
        name = pod.spec.get("priorityClassName")
        if name not in known:
            yield pod.found(
                "spec.priorityClassName", f"{name} is no PriorityClass of the overlay",
                f"Name one of {', '.join(sorted(known))}.",
            )  # fmt: skip


def _accounts(overlay: Overlay) -> Iterator[Found]:
    known = {manifest.name for manifest in overlay.of("ServiceAccount")}
    for pod in pods(overlay):
        name = pod.spec.get("serviceAccountName")
        if name not in known:
            yield pod.found(
                "spec.serviceAccountName", f"{name} is no ServiceAccount of the overlay; nobody makes it",
                f"Name one of {', '.join(sorted(known))}.",
            )  # fmt: skip
    for binding in overlay.of("RoleBinding"):
        for position, subject in enumerate(binding.body.get("subjects") or ()):
            if subject.get("name") not in known or not is_ours(binding, subject):
                named = " ".join(str(subject.get(field)) for field in ("kind", "namespace", "name"))
                yield Found(
                    binding, f"subjects.{position}", f"{named} is no ServiceAccount of the overlay",
                    "Name one that is, with its namespace.",
                )  # fmt: skip


def _roles(overlay: Overlay) -> Iterator[Found]:
    known = {manifest.name for manifest in overlay.of("Role")}
    for binding in overlay.of("RoleBinding"):
        name = at(binding.body, "roleRef.name")
        if name not in known:
            yield Found(binding, "roleRef.name", f"{name} is no Role of the overlay", "Name one that is.")


def _settings(overlay: Overlay) -> Iterator[Found]:
    keys = frozenset({"configMapRef"})
    taken = {value.get("name") for manifest in overlay.objects for _, _, value in _under(manifest.body, keys)}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for config in overlay.of("ConfigMap"):
        for key in config.body.get("data") or {} if config.name in taken else ():
            if key not in known:
                yield Found(config, f"data.{key}", "No setting of that name exists: nothing would read it",
                            "Name one of docs/settings.md.")  # fmt: skip
    for pod in pods(overlay):
        for container in pod.containers():
            for path, variable in container.env():
                if variable["name"].startswith(PREFIX) and variable["name"] not in known | {"RETAIL_LAUNCH_NAME"}:
                    yield Found(
                        pod.manifest, path, f"No setting {variable['name']} exists", "Name one of docs/settings.md."
                    )


DEV, HEAD = "RayCluster retail-dev", "spec.headGroupSpec.template.spec"
MIGRATE, SPEC = "Job retail-migrate", "spec.template.spec"
RULES = (
    Rule(
        "config-maps-exist", "house", "A ConfigMap that is named is rendered, with the keys that are named.",
        _config_maps,
        (Change(MIGRATE, f"{SPEC}.containers.0.env", [
            {"name": "RETAIL_LOG_LEVEL", "valueFrom": {
                "configMapKeyRef": {"name": "retail-settings", "key": "LEVEL"}}}]),),
    ),
    Rule(
        "secrets-known", "house", f"A Secret that is named is one of {', '.join(SECRETS)}, with a key that it has.",
        _secrets,
        (Change(MIGRATE, f"{SPEC}.containers.0.env", [
            {"name": "RETAIL_WAREHOUSE_URL", "valueFrom": {
                "secretKeyRef": {"name": "retail-secret", "key": "url"}}}]),),
    ),
    Rule(
        "claims-exist", "house", "A PersistentVolumeClaim that is named is rendered.", _claims,
        (Change(DEV, f"{HEAD}.volumes.0.persistentVolumeClaim.claimName", "retail-lakes"),),
    ),
    Rule(
        "mounts-exist", "house; the API server says so when the operator makes the pod",
        "A volume that a container mounts is one of its pod.", _mounts,
        (Change(MIGRATE, f"{SPEC}.containers.0.volumeMounts", [
            {"name": "tmp", "mountPath": "/tmp"}, {"name": "lake", "mountPath": "/var/lib/retail"}]),),
    ),
    Rule(
        "priorities-exist", "house", "Every pod has a PriorityClass of the overlay.", _priorities,
        (Change(MIGRATE, f"{SPEC}.priorityClassName", "retail-urgent"),),
    ),
    Rule(
        "accounts-exist", "house; KubeRay 1.7.0, raycluster_controller.go",
        "Every pod has a ServiceAccount of the overlay, and a RoleBinding binds no one else.",
        _accounts, (Change(MIGRATE, f"{SPEC}.serviceAccountName", "retail-migrator"),),
    ),
    Rule(
        "roles-exist", "house", "A RoleBinding names a Role of the overlay.", _roles,
        (Change("RoleBinding retail-ray-worker", "", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "retail-ray-worker", "namespace": "retail"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "retail-ray-worker"},
            "subjects": [{"kind": "ServiceAccount", "name": "retail-ray-worker", "namespace": "retail"}]}),),
    ),
    Rule(
        "settings-known", "house", "What a ConfigMap gives to pods as variables are settings that exist.", _settings,
        (Change("ConfigMap retail-settings", "data.RETAIL_LAKE", "/var/lib/retail"),),
    ),
)  # fmt: skip
