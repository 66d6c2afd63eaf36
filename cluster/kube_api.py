"""The door to the Kubernetes API of the cluster that this process runs in, by its pod's own account.

It knows one verb, the one that the launcher's Role grants: create a RayJob. Rights and place come from the pod's
service account (the files that Kubernetes mounts there).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.errors import ConfigurationError, DataError, PlatformError, RetryableError

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
TIMEOUT_S = 30


def create_rayjob(body: Mapping[str, Any]) -> bool:
    """Create a RayJob in the namespace of this pod.

    Args:
        body: The object, named.

    Returns:
        Whether it is new: False where one of this name exists already.

    Raises:
        ConfigurationError: This is no pod, or its service account may not.
        DataError: The API server refuses the object.
        RetryableError: The API server does not answer.
    """
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        config.load_incluster_config()
        client.CustomObjectsApi().create_namespaced_custom_object(
            "ray.io", "v1", NAMESPACE.read_text().strip(), "rayjobs", dict(body), _request_timeout=TIMEOUT_S
        )
    except (config.ConfigException, OSError) as error:
        raise ConfigurationError(
            "This is no pod of a Kubernetes cluster", where="the service account's files", why=str(error),
            remedy="Run it as the CronJob does; by hand use kubectl (docs/kubernetes.md).",
        ) from error  # fmt: skip
    except client.ApiException as error:
        if error.status == 409:
            return False
        raise _refused(error, str(body["metadata"]["name"])) from error
    except HTTPError as error:
        raise RetryableError(
            "The Kubernetes API does not answer", why=str(error), remedy="Kubernetes starts the pod again by itself."
        ) from error
    return True


def _refused(error: Any, name: str) -> PlatformError:
    """Word the API server's refusal; it says why in the Status object of its body."""
    try:
        why = str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        why = f"{error.status} {error.reason}"
    where = f"RayJob {name}"
    if error.status in {401, 403}:
        return ConfigurationError(
            "The service account may not create the RayJob", where=where, why=why,
            remedy="Bind it to the Role of the launcher: create on rayjobs.",
        )  # fmt: skip
    if error.status in {400, 404, 422}:
        return DataError(
            "Kubernetes refuses the RayJob", where=where, why=why,
            remedy="Correct the template, or install KubeRay's CRDs of the version that docs/kubernetes.md names.",
        )  # fmt: skip
    return RetryableError("Kubernetes could not take the RayJob", where=where, why=why, remedy="Try again.")
