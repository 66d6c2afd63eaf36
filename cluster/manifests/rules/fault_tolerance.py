"""Rules about a head that comes back: where its state lies and who says so; knows nothing of Redis itself."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from cluster.manifests.objects import Body, Overlay
from cluster.manifests.rules.parts import at, ray_clusters
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

VALIDATION = "KubeRay 1.7.0, validation.go"
ANNOTATIONS = ("ray.io/ft-enabled", "ray.io/external-storage-namespace")
VARIABLES = ("RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME")
PARAMS = ("redis-password", "redis-username")
UNSET = ".invalid"
"""Ends the name that the base gives: the overlay says the right one."""
REDIS_PORT = 6379
"""The one that the policies let a head reach."""
SCHEMES = ("redis", "rediss")
OPTIONS = "gcsFaultToleranceOptions"
REMEDY = f"Say it in {OPTIONS} only."


def _annotations(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for name in ANNOTATIONS:
            if name in (at(cluster.manifest.body, "metadata.annotations") or {}):
                yield Found(
                    cluster.manifest, f"metadata.annotations.[{name}]", f"It and {OPTIONS} exclude each other", REMEDY
                )


def _variables(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for container in cluster.head().pod().containers():
            for path, variable in container.env():
                if variable["name"] in VARIABLES:
                    yield Found(
                        cluster.manifest, path,
                        f"{variable['name']} turns fault tolerance on behind the operator's back, or contradicts it",
                        REMEDY,
                    )  # fmt: skip


def _params(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for param in PARAMS:
            if param in cluster.head().params:
                yield cluster.head().found(f"rayStartParams.{param}", "The operator refuses it there", REMEDY)


def _services(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        options, is_service = cluster.body.get(OPTIONS) or {}, cluster.manifest.kind == "RayService"
        if options and not is_service:
            yield cluster.found(
                OPTIONS, "A job starts again from the files; state in Redis would outlive its cluster for nothing",
                "Leave it out; backoffLimit says how often it starts again.",
            )  # fmt: skip
        for field in ("redisAddress", "redisPassword.valueFrom.secretKeyRef.name"):
            if is_service and not at(options, field):
                yield cluster.found(
                    f"{OPTIONS}.{field}", "Without it a new head knows neither replicas nor workers of the old one",
                    "State address and password, the latter by reference.",
                )  # fmt: skip


def _namespace(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        name = (cluster.body.get(OPTIONS) or {}).get("externalStorageNamespace")
        if name is not None:
            yield cluster.found(
                f"{OPTIONS}.externalStorageNamespace",
                f"The second cluster of an upgrade would read the state of the first, {name!r}, and crash on its nodes",
                "Leave it out: a head that comes back finds its cluster's UID, a new cluster starts afresh.",
            )


def _redis(overlay: Overlay) -> Iterator[Found]:
    services = {service.name: service.spec for service in overlay.of("Service")}
    for cluster in ray_clusters(overlay):
        address = str((cluster.body.get(OPTIONS) or {}).get("redisAddress") or "")
        service = services.get(_host(address), {})
        if address and not (service.get("selector") or _names_server(service)):
            yield cluster.found(
                f"{OPTIONS}.redisAddress", f"{address} leads to no Service of the overlay that names a server",
                f"Name a Service of type ExternalName; its externalName is the server's, and never ends in {UNSET}.",
            )  # fmt: skip


def _names_server(service: Body) -> bool:
    is_set = not str(service.get("externalName", UNSET)).endswith(UNSET)
    return is_set and service.get("type") == "ExternalName"


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _address(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        address = str((cluster.body.get(OPTIONS) or {}).get("redisAddress") or "")
        right = [f"{scheme}://{_host(address)}:{REDIS_PORT}" for scheme in SCHEMES]
        if address and address not in right:
            yield cluster.found(
                f"{OPTIONS}.redisAddress", f"{address!r} is no address that Ray reads and the policies let pass",
                f"Write redis://SERVICE:{REDIS_PORT}, or rediss:// for TLS; more than that is the Secret's.",
            )  # fmt: skip


API, SPEC = "RayService retail-api", "spec.rayClusterConfig"
HEAD = f"{SPEC}.headGroupSpec"
RULES = (
    Rule(
        "ft-annotations", VALIDATION,
        f"With {OPTIONS} neither ray.io/ft-enabled nor ray.io/external-storage-namespace is an annotation.",
        _annotations, (Change(API, "metadata.annotations.[ray.io/ft-enabled]", "true"),),
    ),
    Rule(
        "ft-variables", VALIDATION,
        "No head has RAY_REDIS_ADDRESS, REDIS_PASSWORD or REDIS_USERNAME among its variables.", _variables,
        (Change("RayCluster retail-dev", "spec.headGroupSpec.template.spec.containers.0.env",
                [{"name": "RAY_REDIS_ADDRESS", "value": "retail-redis:6379"}]),),
    ),
    Rule(
        "ft-params", VALIDATION, "No head has redis-password or redis-username among its rayStartParams.", _params,
        (Change(API, f"{HEAD}.rayStartParams.redis-password", "$REDIS_PASSWORD"),),
    ),
    Rule(
        "ft-of-services", "house",
        f"A RayService has {OPTIONS} on Redis, others have none.",
        _services, (Change(API, f"{SPEC}.{OPTIONS}.redisPassword", ABSENT),),
    ),
    Rule(
        "redis-named", "house", "The address of Redis is a Service of the overlay, which names the server.", _redis,
        (Change("Service retail-redis", "spec.externalName", "redis.invalid"),),
        found_at=(API, f"{OPTIONS}.redisAddress"),
    ),
    Rule(
        "redis-address", "Ray 2.60.0; house", f"The address of Redis is redis:// or rediss://, a name, :{REDIS_PORT}.",
        _address, (Change(API, f"{SPEC}.{OPTIONS}.redisAddress", "redis://retail-redis:6380"),),
    ),
    Rule(
        "ft-namespace", "KubeRay 1.7.0, pod.go; KubeRay issue 1297, pull request 5052; Ray pull request 66057",
        "externalStorageNamespace is left out: the operator takes the cluster's UID, so an upgrade starts afresh.",
        _namespace, (Change(API, f"{SPEC}.{OPTIONS}.externalStorageNamespace", "retail-api"),),
    ),
)  # fmt: skip
