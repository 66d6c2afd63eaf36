"""Rules about a RayJob and the ConfigMap that it is launched from: its own cluster, its end; knows no job's work."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

VALIDATION = "KubeRay 1.7.0, validation.go"
ENTRYPOINT = re.compile(r"python -m ray_apps\.(\w+)")
DEADLINES = ("activeDeadlineSeconds", "preRunningDeadlineSeconds")
SUBMISSION = ("K8sJobMode", "HTTPMode", "SidecarMode")
TEMPLATES = "retail-job-templates"


def _cluster(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        if not job.spec.get("rayClusterSpec"):
            yield Found(
                job, "spec.rayClusterSpec", "A job without a cluster of its own runs in another's, or not at all",
                "Give it its cluster.",
            )  # fmt: skip


def _shutdown(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        if job.spec.get("shutdownAfterJobFinishes") is not True:
            yield Found(
                job, "spec.shutdownAfterJobFinishes",
                "Its cluster would stay and cost; `suspend` and ttlSecondsAfterFinished need it too", "Set it to true.",
            )  # fmt: skip


def _times(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        for field in DEADLINES:
            if job.spec.get(field, 0) <= 0:
                yield Found(
                    job, f"spec.{field}", "A job that hangs, or whose pods find no node, would hold its cluster",
                    "State a time above 0 s.",
                )  # fmt: skip


def _counts(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        for field in ("ttlSecondsAfterFinished", "backoffLimit"):
            if job.spec.get(field, -1) < 0:
                yield Found(job, f"spec.{field}", "It is not stated, or negative", "State it, 0 or more.")


def _suspended(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        if job.spec.get("suspend") is not True:
            yield Found(
                job, "spec.suspend", "To apply the manifests would start a run",
                    "Set it to true; a launch sets it false.",
            )  # fmt: skip


def _entrypoint(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        match = ENTRYPOINT.fullmatch(str(job.spec.get("entrypoint", "")).strip())
        if not match or job.name not in {"", "retail-" + match.group(1).replace("_", "-")}:
            yield Found(
                job, "spec.entrypoint", f"{job.spec.get('entrypoint')!r} is not the job that the name promises",
                "Write python -m ray_apps.<job> in a RayJob retail-<job>; options are settings.",
            )  # fmt: skip


def _submission(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("RayJob"):
        mode, template = job.spec.get("submissionMode", SUBMISSION[0]), job.spec.get("submitterPodTemplate")
        if mode not in SUBMISSION or (mode == SUBMISSION[0]) != bool(template):
            yield Found(
                job, "spec.submissionMode" if template else "spec.submitterPodTemplate",
                f"{mode}: {SUBMISSION[0]} makes a pod, which the namespace refuses unless we write it (restricted); the"
                " others take none",
                f"{SUBMISSION[0]} with submitterPodTemplate, or another mode without.",
            )  # fmt: skip


def _read(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _template(overlay: Overlay) -> Iterator[Found]:
    jobs = {job.name: job.spec for job in overlay.of("RayJob")}
    for config in overlay.of("ConfigMap"):
        for key, text in (config.body.get("data") or {}).items() if config.name == TEMPLATES else ():
            body, name = _read(text), "retail-" + key.removesuffix(".json")
            if body.get("kind") != "RayJob" or body.get("spec") != jobs.get(name):
                yield Found(
                    config, f"data.[{key}]", f"It is not what RayJob {name} says: a launched run would differ",
                    "Let kustomize copy `spec`, after every patch (component `schedule` last).",
                )  # fmt: skip


def _both(path: str, value: Any) -> tuple[Change, Change]:
    """Change a RayJob and, so that they stay the same, the template of it."""
    template = Change(f"ConfigMap {TEMPLATES}", f"data.[basket-pairs.json].{path}", value)
    return Change("RayJob retail-basket-pairs", path, value), template


RULES = (
    Rule(
        "job-cluster", VALIDATION, "A RayJob describes its own cluster.", _cluster,
        _both("spec.rayClusterSpec", ABSENT), also="readers",
    ),
    Rule(
        "job-shutdown", f"{VALIDATION}; house",
        "A RayJob's cluster goes when the job has ended (shutdownAfterJobFinishes).", _shutdown,
        _both("spec.shutdownAfterJobFinishes", False),
    ),
    Rule(
        "job-deadlines", f"{VALIDATION}; house",
        "activeDeadlineSeconds and preRunningDeadlineSeconds are stated and above 0.", _times,
        _both("spec.preRunningDeadlineSeconds", ABSENT),
    ),
    Rule(
        "job-counts", f"{VALIDATION}; house", "ttlSecondsAfterFinished and backoffLimit are stated and not negative.",
        _counts, _both("spec.backoffLimit", -1),
    ),
    Rule(
        "job-suspended", "house", "To apply the manifests starts no run: a RayJob in them is suspended.", _suspended,
        _both("spec.suspend", False),
    ),
    Rule(
        "job-entrypoint", "house", "RayJob retail-<job> runs `python -m ray_apps.<job>`, nothing else.", _entrypoint,
        _both("spec.entrypoint", "python -m ray_apps.daily_refresh"),
    ),
    Rule(
        "job-submission", VALIDATION,
        "K8sJobMode comes with a submitterPodTemplate of ours; SidecarMode and HTTPMode come without.", _submission,
        _both("spec.submissionMode", "SidecarMode"),
    ),
    Rule(
        "job-template", "house",
        "The template that the CronJob launches from is the RayJob of the same name.", _template,
        (Change(f"ConfigMap {TEMPLATES}", "data.[daily-refresh.json].spec.backoffLimit", 9),),
    ),
)  # fmt: skip
