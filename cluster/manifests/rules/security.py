"""Rules of Kubernetes' pod security level "restricted", and of what runs in a pod; knows no amount of anything."""

import re
from collections.abc import Iterator
from functools import cache

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import at, containers, pods
from cluster.manifests.rules.rule import ABSENT, OPTIONS, Change, Found, Rule
from cluster.manifests.tools import PROJECT

RESTRICTED = "Kubernetes, Pod Security Standards, restricted"
LABEL = "pod-security.kubernetes.io/enforce"
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
TEST_DIGEST = "sha256:" + 64 * "0"
PLACEHOLDERS = (".example", ".invalid", ".test")
"""Ends of host names that nobody can own."""
CONTAINERFILE = PROJECT / "kuberay" / "image" / "Containerfile"
SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET", "CREDENTIAL", "STORAGE_OPTIONS", "WAREHOUSE_URL")


def _enforced(overlay: Overlay) -> Iterator[Found]:
    for namespace in overlay.of("Namespace"):
        if (at(namespace.body, "metadata.labels") or {}).get(LABEL) != "restricted":
            yield Found(
                namespace, f"metadata.labels.[{LABEL}]", "Pods of any right would be let in", "Set it to restricted."
            )


def _non_root(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        context = pod.spec.get("securityContext") or {}
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) == 0:
            yield pod.found(
                "spec.securityContext.runAsNonRoot",
                "Its containers may run as root",
                "Set it to true, runAsUser above 0.",
            )


def _seccomp(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        kind = at(pod.spec, "securityContext.seccompProfile.type")
        if kind not in {"RuntimeDefault", "Localhost"}:
            yield pod.found(
                "spec.securityContext.seccompProfile.type", f"It is {kind}: every system call is open",
                "Set it to RuntimeDefault.",
            )  # fmt: skip


def _escalation(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        context = container.body.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield container.found(
                "securityContext.allowPrivilegeEscalation",
                "A process may gain more rights than its parent; the namespace refuses such a pod", "Set it to false.",
            )  # fmt: skip


def _capabilities(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        capabilities = at(container.body, "securityContext.capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()) or capabilities.get("add"):
            yield container.found(
                "securityContext.capabilities", "It keeps capabilities of the kernel; the namespace refuses such a pod",
                "Drop ALL, add none.",
            )  # fmt: skip


def _host(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for field in HOST:
            if pod.spec.get(field):
                yield pod.found(f"spec.{field}", "It shares the node's own", "Leave it out.")
        for position, volume in enumerate(pod.spec.get("volumes") or ()):
            if not VOLUMES & set(volume):
                yield pod.found(
                    f"spec.volumes.{position}", f"{volume.get('name')} is of the node, or of no allowed kind",
                    f"Take one of {', '.join(sorted(VOLUMES))}.",
                )  # fmt: skip
    for container in containers(overlay):
        for position, port in enumerate(container.body.get("ports") or ()):
            if port.get("hostPort"):
                yield container.found(f"ports.{position}.hostPort", "It is open on the node itself", "Leave it out.")


def _digests(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        image = container.body.get("image")
        if image is None and container.is_autoscaler:
            continue
        digest = str(image).rpartition("@")[2]
        if not digest.startswith("sha256:") or len(digest) != len(TEST_DIGEST):
            yield container.found(
                "image", f"{image}: a tag can point to another image tomorrow, and to two on two nodes",
                "Name it by digest, in components/images.",
            )  # fmt: skip


def _real_digests(overlay: Overlay) -> Iterator[Found]:
    told: set[tuple[str, str]] = set()
    for container in () if overlay.test_images else containers(overlay):
        where = str(container.pod.manifest), str(container.body.get("image", ""))
        if where[1].endswith(TEST_DIGEST) and where not in told:
            told.add(where)
            yield container.found(
                "image", "Its digest is the test value of 64 zeros: there is no such image",
                "Build and push the image, then write its digest in components/images (docs/kubernetes.md).",
            )  # fmt: skip


def _real_hosts(overlay: Overlay) -> Iterator[Found]:
    told: set[str] = set()
    for container in () if overlay.test_images else containers(overlay):
        image, owner = str(container.body.get("image", "")), str(container.pod.manifest)
        is_placeholder = image.partition("/")[0].partition(":")[0].endswith(PLACEHOLDERS)
        if is_placeholder and not image.endswith(TEST_DIGEST) and owner not in told:
            told.add(owner)
            yield container.found(
                "image", f"{image}: its host is a placeholder", "Write your registry's name in components/images."
            )
    for service in () if overlay.test_images else overlay.of("Service"):
        if str(service.spec.get("externalName", "")).rstrip(".").endswith(PLACEHOLDERS):
            yield Found(
                service, "spec.externalName", f"{service.spec['externalName']} is a placeholder",
                "Write the server's name in the overlay (docs/kubernetes.md).",
            )  # fmt: skip


def _real(overlay: Overlay) -> Iterator[Found]:
    yield from _real_digests(overlay)
    yield from _real_hosts(overlay)


def _ids(overlay: Overlay) -> Iterator[Found]:
    uid, gid = image_ids()
    wanted = {"runAsUser": uid, "runAsGroup": gid, "fsGroup": gid}
    for pod in pods(overlay):
        context = pod.spec.get("securityContext") or {}
        for field, value in wanted.items():
            if context.get(field) != value:
                yield pod.found(
                    f"spec.securityContext.{field}",
                    f"It is {context.get(field)}, the image's is {value}: its volumes could not be written",
                    f"Set it to {value}.",
                )  # fmt: skip


@cache
def image_ids() -> tuple[int, int]:
    """Read the user and the group of the image from its Containerfile."""
    user = re.search(r"^USER (\d+):(\d+)$", CONTAINERFILE.read_text(), re.MULTILINE)
    return (int(user[1]), int(user[2])) if user else (0, 0)


def _one_image(overlay: Overlay) -> Iterator[Found]:
    named = [(container, str(container.body.get("image"))) for container in containers(overlay)]
    images = [(container, image) for container, image in named if "@" in image]
    for container, image in images:
        if image != images[0][1]:
            yield container.found(
                "image", f"{image} is not {images[0][1]}: all must hold the same Ray and the same code",
                "Use the project's one image.",
            )  # fmt: skip


def _secrets(overlay: Overlay) -> Iterator[Found]:
    for secret in overlay.of("Secret"):
        yield Found(
            secret, "data", "Whoever reads the repository has it", "Make it on the cluster (docs/kubernetes.md)."
        )
    for config in overlay.of("ConfigMap"):
        for key in config.body.get("data") or {}:
            if any(word in key.upper() for word in SECRET_WORDS):
                yield Found(
                    config, f"data.{key}", "It is, or holds, a secret", "Put it into the Secret retail-secrets."
                )
    for container in containers(overlay):
        for path, variable in container.env():
            if variable.get("value") and any(word in variable["name"].upper() for word in SECRET_WORDS):
                yield Found(container.pod.manifest, path, "It is, or holds, a secret", "Take it by secretKeyRef.")


DEV, HEAD = "RayCluster retail-dev", "spec.headGroupSpec.template.spec"
RULES = (
    Rule(
        "restricted-namespace", RESTRICTED, "The namespace enforces the level restricted.", _enforced,
        (Change("Namespace retail", f"metadata.labels.[{LABEL}]", "privileged"),),
    ),
    Rule(
        "non-root", RESTRICTED, "No pod runs as root.", _non_root,
        (Change(DEV, f"{HEAD}.securityContext.runAsNonRoot", ABSENT),),
    ),
    Rule(
        "seccomp", RESTRICTED, "Every pod has the runtime's seccomp profile.", _seccomp,
        (Change(DEV, f"{HEAD}.securityContext.seccompProfile.type", "Unconfined"),),
    ),
    Rule(
        "no-escalation", RESTRICTED, "No container, the autoscaler's included, may gain rights.", _escalation,
        (Change(DEV, "spec.autoscalerOptions.securityContext.allowPrivilegeEscalation", ABSENT),),
    ),
    Rule(
        "no-capabilities", RESTRICTED, "Every container, the autoscaler's included, drops all capabilities.",
        _capabilities, (Change(DEV, f"{HEAD}.containers.0.securityContext.capabilities", {"add": ["SYS_PTRACE"]}),),
    ),
    Rule(
        "nothing-of-the-node", RESTRICTED, "No pod uses the node's network, processes, ports or folders.", _host,
        (Change("Job retail-migrate", "spec.template.spec.hostNetwork", True),),
    ),
    Rule(
        "image-digests", "house", "Every image is named by its digest.", _digests,
        (Change("Job retail-migrate", "spec.template.spec.containers.0.image", "registry.example/retail:latest"),),
    ),
    Rule(
        "real-digests", "house",
        "Unless validate is told `--test-images`, no digest is the test value of 64 zeros and no host a placeholder.",
        _real, (Change(OPTIONS, "test_images", False),),
        found_at=("RayService retail-api", "headGroupSpec.template.spec.containers.0.image"),
    ),
    Rule(
        "ids-of-the-image", "house", "Pods run as the image's user and group, and their volumes are that group's.",
        _ids, (Change("Job retail-migrate", "spec.template.spec.securityContext.fsGroup", ABSENT),),
    ),
    Rule(
        "one-image", "house", "Head, workers and jobs run one image.", _one_image,
        (Change("Job retail-migrate", "spec.template.spec.containers.0.image",
                "registry.example/retail@sha256:" + 32 * "5e"),),
    ),
    Rule(
        "secrets-by-reference", "house", "No manifest holds a secret: they are made on the cluster and referred to.",
        _secrets, (Change("ConfigMap retail-settings", "data.RETAIL_WAREHOUSE_URL", "postgresql://retail@db/retail"),),
    ),
)  # fmt: skip
