"""Reads what Ray will read of the manifests, with Ray's own readers: a manifest that they refuse never serves."""

import decimal
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError as SchemaError

from cluster.manifests.crds import Crds
from cluster.manifests.documents import read_document
from cluster.manifests.objects import RAY_CLUSTERS, Body, Finding, Manifest, Overlay
from cluster.manifests.schema import with_defaults
from cluster.manifests.serve_reader import serve_problems

RULE = "ray-reads"
REFUSALS = (ValueError, TypeError, KeyError, AssertionError, RuntimeError, decimal.DecimalException, SchemaError)
"""What Ray's readers raise."""


def check(overlay: Overlay, crds: Crds) -> list[Finding]:
    """List what Ray's readers refuse: of Serve, of runtime environments, of the autoscaler.

    Args:
        overlay: Its objects, which satisfy their schemas.
        crds: KubeRay's schemas, for the defaults that the API server fills in.

    Returns:
        The findings.
    """
    return [
        Finding(RULE, manifest.file, str(manifest), field, reason, "Write it as Ray's reference says.")
        for manifest in overlay.of(*RAY_CLUSTERS)
        for field, reason in (*_serve(manifest), *_environment(manifest), *_autoscaler(manifest, crds))
    ]


def _serve(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.kind != "RayService":
        return
    field = "spec.serveConfigV2"
    try:
        config = read_document(str(manifest.spec.get("serveConfigV2") or ""))
    except ValueError as error:
        yield field, f"it is no YAML: {error}"
        return
    if not isinstance(config, Mapping):
        yield field, "it is empty or no mapping"
        return
    for path, reason in serve_problems(config):
        yield f"{field}.{path}" if path else field, reason
    for path, environment in _environments_of(config):
        for reason in _environment_problems(environment):
            yield f"{field}.{path}", reason


def _environments_of(config: Body) -> Iterator[tuple[str, Any]]:
    for number, application in enumerate(config.get("applications") or ()):
        if "runtime_env" in application:
            yield f"applications.{number}.runtime_env", application["runtime_env"]
        for position, deployment in enumerate(application.get("deployments") or ()):
            options = deployment.get("ray_actor_options") or {}
            if "runtime_env" in options:
                path = f"applications.{number}.deployments.{position}.ray_actor_options.runtime_env"
                yield path, options["runtime_env"]


def _environment(manifest: Manifest) -> Iterator[tuple[str, str]]:
    text = manifest.spec.get("runtimeEnvYAML") if manifest.kind == "RayJob" else None
    if text is None:
        return
    try:
        environment = read_document(str(text))
    except ValueError as error:
        yield "spec.runtimeEnvYAML", f"it is no YAML: {error}"
        return
    for reason in _environment_problems(environment):
        yield "spec.runtimeEnvYAML", reason


def _environment_problems(environment: Any) -> Iterator[str]:
    from ray.runtime_env import RuntimeEnv

    if not isinstance(environment, Mapping):
        yield "it is empty or no mapping"
        return
    for name in sorted(set(environment) - RuntimeEnv.known_fields):
        yield f"{name}: Ray knows no such entry and passes over it"
    try:
        RuntimeEnv(**environment)
    except REFUSALS as error:
        yield str(error)


def _autoscaler(manifest: Manifest, crds: Crds) -> Iterator[tuple[str, str]]:
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
    from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig

    cluster: Any = Manifest(with_defaults(manifest.body, crds)).ray_cluster
    named = {"name": manifest.name, "namespace": str(manifest.body["metadata"].get("namespace", ""))}
    try:
        read = _derive_autoscaling_config_from_ray_cr({"metadata": named, "spec": cluster})
        AutoscalingConfig(configs=read, skip_content_hash=True).get_node_type_configs()
    except REFUSALS as error:
        yield RAY_CLUSTERS[manifest.kind], f"the autoscaler cannot read it: {type(error).__name__} {error}"
