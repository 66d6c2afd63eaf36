"""Rules about what runs in a pod: its containers, its folders, its settings, who launches it; knows no amounts."""

from collections.abc import Iterator

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import Container, Pod, at, containers, pods
from cluster.manifests.rules.rayjob import TEMPLATES
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

SETTINGS = "retail-settings"
SECRET = "retail-secrets"
HOME = "RETAIL_HOME"
NEEDED = (HOME, "RETAIL_INBOX")
LAUNCH = ("python", "-m", "ray_apps.launch")
LAUNCH_NAME = "RETAIL_LAUNCH_NAME"
JOB_NAME = "metadata.labels['batch.kubernetes.io/job-name']"


def _present(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        if not pod.spec.get("containers"):
            yield pod.found("spec.containers", "A pod without a container is refused", "Give it one.")


def _ends(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        if pod.group is None and pod.spec.get("restartPolicy") not in {"Never", "OnFailure"}:
            yield pod.found(
                "spec.restartPolicy", "Kubernetes refuses a job whose pods are restarted for ever", "Set it to Never."
            )


def _read_only(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        if at(container.body, "securityContext.readOnlyRootFilesystem") is not True:
            yield container.found(
                "securityContext.readOnlyRootFilesystem", "Whoever gets in can change the program", "Set it to true."
            )


def _mounted(container: Container) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container.body.get("volumeMounts") or ()}


def _takes(container: Container, kind: str, name: str) -> bool:
    return any(at(source, f"{kind}.name") == name for source in container.body.get("envFrom") or ())


def _folders(overlay: Overlay) -> Iterator[Found]:
    settings = [config.body.get("data") or {} for config in overlay.of("ConfigMap") if config.name == SETTINGS]
    home = settings[0].get(HOME) if settings else None
    for container in containers(overlay):
        needed = {"/tmp", *([home] if home and _takes(container, "configMapRef", SETTINGS) else [])}
        if container.is_autoscaler:
            needed.add("/tmp/ray")
        missing = needed - set(_mounted(container))
        if missing:
            yield container.found(
                "volumeMounts", f"Nothing is mounted at {', '.join(sorted(missing))}, and the root folder is read-only",
                "Mount a volume there.",
            )  # fmt: skip


def _uses_settings(pod: Pod) -> bool:
    return pod.group is not None or pod.manifest.kind == "Job"


def _settings(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for container in pod.containers() if _uses_settings(pod) else ():
            taken = _takes(container, "configMapRef", SETTINGS) and _takes(container, "secretRef", SECRET)
            if not container.is_autoscaler and not taken:
                yield container.found(
                    "envFrom", "The project's code would take its defaults: an embedded warehouse, a local lake",
                    f"Take {SETTINGS} and {SECRET} by envFrom.",
                )  # fmt: skip


def _needed(overlay: Overlay) -> Iterator[Found]:
    for config in overlay.of("ConfigMap"):
        for name in NEEDED if config.name == SETTINGS else ():
            if not (config.body.get("data") or {}).get(name):
                yield Found(
                    config, f"data.{name}", "A run that is launched is given no options: it would stop at its start",
                    "State it (docs/settings.md).",
                )  # fmt: skip


def _launcher(overlay: Overlay) -> Iterator[Found]:
    templates = {key for one in overlay.of("ConfigMap") if one.name == TEMPLATES for key in one.body.get("data") or {}}
    for pod in pods(overlay):
        for container in pod.containers() if pod.manifest.kind == "CronJob" else ():
            volumes = {volume["name"]: at(volume, "configMap.name") for volume in pod.spec.get("volumes") or ()}
            folders = [path for path, name in _mounted(container).items() if volumes.get(name) == TEMPLATES]
            known = {f"{folder}/{name}" for folder in folders for name in templates}
            command = tuple(container.body.get("command") or ())
            if command[:-1] != LAUNCH or command[-1] not in known:
                yield container.found(
                    "command", f"{' '.join(command)} launches none of {', '.join(sorted(known)) or 'nothing mounted'}",
                    f"Write {' '.join(LAUNCH)} and the path of a template.",
                )  # fmt: skip


def _launch_names(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for container in pod.containers() if pod.manifest.kind == "CronJob" else ():
            given = {str(variable["name"]): variable for _, variable in container.env()}
            jobs = [name for name, one in given.items() if at(one, "valueFrom.fieldRef.fieldPath") == JOB_NAME]
            name = str(given.get(LAUNCH_NAME, {}).get("value"))
            if not any(f"$({job})" in name and name != f"$({job})" for job in jobs):
                yield container.found(
                    "env", f"{LAUNCH_NAME} is {name}: with a fixed name there is one run ever, with the Job's own"
                    " KubeRay's submitter, a Job that is named after the RayJob, cannot be made",
                    f"Make it of a variable that comes by fieldRef from {JOB_NAME}, and a word.",
                )  # fmt: skip


def _one_at_a_time(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("CronJob"):
        if job.spec.get("concurrencyPolicy") != "Forbid" or not job.spec.get("timeZone"):
            yield Found(
                job, "spec.concurrencyPolicy" if job.spec.get("timeZone") else "spec.timeZone",
                "Launches would overlap, or start at another hour where the controller's clock has another zone",
                "Set concurrencyPolicy to Forbid and name the time zone.",
            )  # fmt: skip


def _claims(overlay: Overlay) -> Iterator[Found]:
    users: dict[str, set[str]] = {}
    for pod in pods(overlay):
        for volume in pod.spec.get("volumes") or ():
            users.setdefault(str(at(volume, "persistentVolumeClaim.claimName")), set()).add(
                f"{pod.manifest} {pod.path}"
            )
    for claim in overlay.of("PersistentVolumeClaim"):
        if len(users.get(claim.name, ())) > 1 and "ReadWriteMany" not in (claim.spec.get("accessModes") or ()):
            yield Found(
                claim, "spec.accessModes", f"{len(users[claim.name])} kinds of pods mount it, on more nodes than one",
                "Take ReadWriteMany.",
            )  # fmt: skip


MIGRATE, FIRST = "Job retail-migrate", "spec.template.spec.containers.0"
CRON, LAUNCHER = "CronJob retail-daily-refresh", "spec.jobTemplate.spec.template.spec"
RULES = (
    Rule(
        "containers-present", "KubeRay 1.7.0, validation.go; Kubernetes", "Every pod has a container.", _present,
        (Change(CRON, f"{LAUNCHER}.containers", []),),
    ),
    Rule(
        "job-pods-end", "Kubernetes, validation of Jobs", "Pods of Jobs have restartPolicy Never or OnFailure.", _ends,
        (Change(MIGRATE, "spec.template.spec.restartPolicy", ABSENT),),
    ),
    Rule(
        "read-only-root", "house", "No container, the autoscaler's included, can write to its root folder.", _read_only,
        (Change(MIGRATE, f"{FIRST}.securityContext.readOnlyRootFilesystem", False),),
    ),
    Rule(
        "folders-mounted", "house", "A volume is mounted at /tmp and, where the settings reach, at RETAIL_HOME.",
        _folders, (Change(MIGRATE, f"{FIRST}.volumeMounts", [{"name": "tmp", "mountPath": "/tmp"}]),),
    ),
    Rule(
        "settings-reach-pods", "house", "Ray's pods and the migration take the settings and the secrets.", _settings,
        (Change(MIGRATE, f"{FIRST}.envFrom", [{"secretRef": {"name": SECRET}}]),),
    ),
    Rule(
        "settings-needed", "house", "The settings name the home folder and the inbox.", _needed,
        (Change(f"ConfigMap {SETTINGS}", "data.RETAIL_INBOX", ABSENT),),
    ),
    Rule(
        "launcher", "house; ray_apps/launch.py", "A CronJob launches a RayJob from a template that is mounted.",
        _launcher, (Change(CRON, f"{LAUNCHER}.containers.0.command.3", "/etc/retail/templates/weekly-refresh.json"),),
    ),
    Rule(
        "launch-name", "house; ray_apps/launch.py", "The RayJob is named after the CronJob's Job, and not the same.",
        _launch_names,
        (Change(CRON, f"{LAUNCHER}.containers.0.env.1.value", "$(LAUNCHER_JOB)"),),
    ),
    Rule(
        "one-launch-at-a-time", "house", "A CronJob's launches do not overlap, and its hour has a time zone.",
        _one_at_a_time, (Change(CRON, "spec.concurrencyPolicy", "Allow"),),
    ),
    Rule(
        "shared-claims", "Kubernetes, access modes", "A claim that several kinds of pods mount is ReadWriteMany.",
        _claims, (Change("PersistentVolumeClaim retail-lake", "spec.accessModes", ["ReadWriteOnce"]),),
    ),
)  # fmt: skip
