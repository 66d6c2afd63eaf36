"""Rules about when a CronJob launches and what: its hour, its template, whose run it is; knows no job's own fields."""

import calendar
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from zoneinfo import available_timezones

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import at, pods
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, MONTHS),
    (0, 6, WEEKDAYS),
)
"""Lowest and highest of minute, hour, day, month and weekday, and their names."""
PART = re.compile(r"(?P<all>\*)|(?P<low>\w+)(-(?P<high>\w+))?")
OWNER = {
    "--owner": "metadata.labels['batch.kubernetes.io/job-name']",
    "--owner-uid": "metadata.labels['batch.kubernetes.io/controller-uid']",
}
"""Options of the launcher and the field that each must come from."""
REFERENCE = re.compile(r"\$\((\w+)\)")
PREFIX = "retail-"


def times(field: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    """Read a field of a cron schedule.

    Args:
        field: `*`, `5`, `1-5`, `*/15`, `mon,wed`.
        low: Lowest value.
        high: Highest value.
        names: Values that have a name.

    Returns:
        The values that it means.

    Raises:
        ValueError: It is none.
    """
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        match = PART.fullmatch(span)
        if not match or ("/" in part and not (step.isdecimal() and int(step))):
            raise ValueError(field)
        first, last = low, high
        if not match["all"]:
            first = int(names.get(match["low"], match["low"]))
            open_end = high if step else first
            last = int(names.get(match["high"], match["high"])) if match["high"] else open_end
        if not low <= first <= last <= high:
            raise ValueError(field)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def happens(schedule: str) -> bool:
    """Say whether a schedule has five fields and a day on which it comes true."""
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        return False
    try:
        _, _, days, months, _ = (times(text, *known) for text, known in zip(fields, FIELDS, strict=True))
    except ValueError:
        return False
    # With a weekday beside it the day of the month need not be right: one of both is enough. 2024 is a leap year.
    return not fields[4].startswith("*") or any(min(days) <= calendar.monthrange(2024, month)[1] for month in months)


def _schedules(overlay: Overlay) -> Iterator[Found]:
    for job in overlay.of("CronJob"):
        if not happens(str(job.spec.get("schedule", ""))):
            yield Found(
                job, "spec.schedule", f"{job.spec.get('schedule')!r} has not five fields or no day of any year is it",
                "Write minute, hour, day, month and weekday; the zone is timeZone's.",
            )  # fmt: skip
        zone = job.spec.get("timeZone")
        if zone and zone not in available_timezones():
            yield Found(job, "spec.timeZone", f"{zone!r} is no time zone", "Name one as Europe/London.")


def _own_template(overlay: Overlay) -> Iterator[Found]:
    jobs = {job.name for job in overlay.of("RayJob")}
    for pod in pods(overlay):
        for container in pod.containers() if pod.manifest.kind == "CronJob" else ():
            launched = PREFIX + PurePosixPath(str((container.body.get("command") or [""])[-1])).stem
            if launched in jobs and not f"{pod.manifest.name}-".startswith(f"{launched}-"):
                yield container.found(
                    "command", f"{pod.manifest.name} would launch {launched}", "Launch the template of its own name."
                )


def _owner(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for container in pod.containers() if pod.manifest.kind == "CronJob" else ():
            fields = {one["name"]: at(one, "valueFrom.fieldRef.fieldPath") for _, one in container.env()}
            args = [str(item) for item in container.body.get("args") or ()]
            given = dict(zip(args[::2], args[1::2], strict=False))
            for option, field in OWNER.items():
                match = REFERENCE.fullmatch(given.get(option, ""))
                if not match or fields.get(match[1]) != field:
                    yield container.found(
                        "args", f"{option} does not come from {field}: nothing would take the runs' objects away",
                        f"Write {' '.join(f'{name} $(VARIABLE)' for name in OWNER)}, by fieldRef.",
                    )  # fmt: skip


PAIRS, FIRST = "CronJob retail-basket-pairs", "spec.jobTemplate.spec.template.spec.containers.0"
RULES = (
    Rule(
        "schedule-happens", "Kubernetes, validation of CronJobs; KubeRay 1.7.0",
        "A CronJob's schedule has five fields and a day on which it comes true; its time zone exists.", _schedules,
        (Change(PAIRS, "spec.schedule", "30 5 30 2 *"),),
    ),
    Rule(
        "launches-its-own", "house", "A CronJob launches the template that it is named after.", _own_template,
        (Change(PAIRS, f"{FIRST}.command.3", "/etc/retail/templates/daily-refresh.json"),),
    ),
    Rule(
        "launch-has-owner", "house; ray_apps/launch.py", "A launched RayJob belongs to the Job that launches it.",
        _owner, (Change(PAIRS, f"{FIRST}.args", ABSENT),),
    ),
)  # fmt: skip
