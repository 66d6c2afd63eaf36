"""Rules about Ray's token: no Ray cluster runs what just anyone sends it; knows nothing of network policies."""

from collections.abc import Iterator

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import at, pods, ray_clusters
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

ADVISORY = "house; CVE-2023-48022, GHSA-gx77-xgc2-4888"
VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def _mode(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        mode = at(cluster.body, "authOptions.mode")
        if mode != "token":
            yield cluster.found(
                "authOptions.mode", f"It is {mode}: Ray runs any code that anyone in reach sends it",
                "Set it to token.",
            )  # fmt: skip


def _secret(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        if at(cluster.body, "authOptions.mode") == "token" and not at(cluster.body, "authOptions.secretName"):
            yield cluster.found(
                "authOptions.secretName",
                "The operator would make a Secret per cluster, which goes with it: no client could hold the token",
                "Name the Secret that holds `auth_token`.",
            )


def _variables(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        if pod.group is None:
            continue
        for container in pod.containers():
            for path, variable in container.env():
                if variable["name"] in VARIABLES and (variable["name"], variable.get("value")) != (
                    VARIABLES[0],
                    "token",
                ):
                    yield Found(
                        pod.manifest, path,
                        f"The operator keeps a {variable['name']} that it finds: this one overrules authOptions",
                        "Leave it to authOptions.",
                    )  # fmt: skip


API = "RayService retail-api"
RULES = (
    Rule(
        "token-auth", ADVISORY, "Every Ray cluster demands a token.", _mode,
        (Change(API, "spec.rayClusterConfig.authOptions.mode", "disabled"),),
    ),
    Rule(
        "token-secret", "house", "Every Ray cluster names the Secret of its token.", _secret,
        (Change(API, "spec.rayClusterConfig.authOptions.secretName", ABSENT),),
    ),
    Rule(
        "token-variables", "KubeRay 1.7.0, pod.go",
        "No container of Ray sets RAY_AUTH_MODE (but to `token`) or RAY_AUTH_TOKEN: the operator would keep them.",
        _variables,
        (Change("RayCluster retail-dev", "spec.headGroupSpec.template.spec.containers.0.env",
                [{"name": "RAY_AUTH_MODE", "value": "disabled"}]),),
    ),
)  # fmt: skip
