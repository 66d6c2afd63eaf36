"""`retail cluster`: the manifests of kuberay/ rendered, judged and explained, without a cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import ConfigurationError
from cluster.settings import load_settings
from ray_apps.console import say, show_json, show_table, show_text, stdout_is_ours

if TYPE_CHECKING:
    from cluster.manifests.capacity import Amounts
    from cluster.manifests.explain import Explanation
    from cluster.manifests.objects import Finding

cluster_app = typer.Typer(help="The manifests of kuberay/, without a cluster.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Name = Annotated[str, typer.Argument(metavar="OVERLAY", help="Folder below kuberay/overlays: dev, prod.")]
COLUMNS = ("file", "object", "field", "reason (rule)", "remedy")
GIB = Decimal(2**30)
GPU = "nvidia.com/gpu"


@cluster_app.command("render")
def render_overlay(overlay: Name, json: Json = False) -> None:
    """Print an overlay's objects as `kubectl apply` takes them."""
    with _needs_extra():
        from cluster.manifests.documents import write_document
        from cluster.manifests.render import render

        # What a ConfigMap holds as a template is printed with it.
        objects = [item for item in render(overlay) if item.name]
    if json:
        show_json({"overlay": overlay, "objects": [{"file": item.file, "body": item.body} for item in objects]})
        return
    for item in objects:
        show_text(f"---\n# kuberay/{item.file}\n{write_document(item.body)}")


@cluster_app.command("validate")
def validate_overlays(
    overlays: Annotated[
        list[str] | None, typer.Argument(metavar="[OVERLAY...]", help="All when none is named.")
    ] = None,
    crds: Annotated[Path | None, typer.Option(help="Folder of KubeRay's CRDs; else RETAIL_KUBERAY_CRDS.")] = None,
    test_images: Annotated[bool, typer.Option("--test-images", help="Allow digests that are test values.")] = False,
    json: Json = False,
) -> None:
    """Judge overlays by their schemas, by KubeRay's and the house's rules and by Ray's own readers."""
    with _needs_extra(), stdout_is_ours():
        from cluster.manifests import crds as schemas
        from cluster.manifests import operator_values
        from cluster.manifests.render import overlays as known
        from cluster.manifests.validate import load_overlay, validate

        kuberay = schemas.load(crds or load_settings().kuberay_crds)
        loaded = [load_overlay(name, test_images=test_images) for name in overlays or known()]
        found = {overlay.name: validate(overlay, kuberay) for overlay in loaded}
        found["operator"] = operator_values.check(test_images=test_images)
        refused = sum(map(len, found.values()))
        if json:
            listed = {name: [asdict(finding) for finding in findings] for name, findings in found.items()}
            show_json({"valid": not refused, "findings": listed})
        else:
            for name, findings in found.items():
                _show_findings(name, findings)
            counts = ", ".join(f"{overlay.name} ({len(overlay.objects)} objects)" for overlay in loaded)
            say(f"{refused or 'Nothing'} refused: {counts} and the operator's values.")
    _exit(1 if refused else 0)


@cluster_app.command("explain")
def explain_overlay(overlay: Name, json: Json = False) -> None:
    """Show an overlay's pods and what they ask for, the quota that an upgrade needs, Spark, and who reaches what."""
    with _needs_extra():
        from cluster.manifests.explain import as_dict, explain
        from cluster.manifests.validate import load_overlay

        said = explain(load_overlay(overlay))
    if json:
        show_json(as_dict(said))
        return
    _show_pods(said)
    _show_quotas(said)
    say(f"Spark {'works' if said.spark.works else 'does not work'} there: {said.spark.why}.")
    _show_network(said)


@contextmanager
def _needs_extra() -> Iterator[None]:
    """Name the extra when the packages that judge manifests are not installed, as in the image."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "The packages that judge manifests are not installed", where=str(error.name), why=str(error),
            remedy="Install the extra: pip install 'retail-data-platform[manifests]'; `make install` does.",
        ) from error  # fmt: skip


def _show_findings(name: str, findings: Sequence["Finding"]) -> None:
    """Print a table; fields of an object that break a rule in the same way stand together."""
    fields: dict[tuple[str, ...], list[str]] = {}
    for item in findings:
        key = (item.file, item.object, f"{item.reason} ({item.rule})", item.remedy)
        fields.setdefault(key, []).append(item.field)
    if findings:
        rows = [(key[0], key[1], "\n".join(listed), *key[2:]) for key, listed in fields.items()]
        show_table(f"{name}: {len(findings)} refused", COLUMNS, rows)


def _show_pods(said: "Explanation") -> None:
    rows = [
        (str(part.owner), part.group, part.least, part.most, *_sizes(part.times(part.least), part.times(part.most)))
        for part in said.pods
    ]
    rows.append(("all", "", int(said.least["pods"]), int(said.most["pods"]), *_sizes(said.least, said.most)))
    rows.append(
        ("all during an upgrade", "", None, int(said.upgrade["pods"]), *_sizes({}, said.upgrade)),
    )
    columns = ("object", "pods", "min", "max", "CPU", "max", "GiB", "max", "GPU", "max")
    show_table(f"{said.overlay}: what pods ask for (requests)", columns, rows)


def _sizes(least: "Amounts", most: "Amounts") -> list[str]:
    """Give CPUs, memory and GPUs, each at the minimum and the maximum."""
    names = (("requests.cpu", Decimal(1)), ("requests.memory", GIB), (f"requests.{GPU}", Decimal(1)))
    return [
        _short(amounts.get(name, Decimal(0)) / unit) if amounts else ""
        for name, unit in names
        for amounts in (least, most)
    ]


def _show_quotas(said: "Explanation") -> None:
    rows = []
    for room in said.quotas:
        unit = GIB if "memory" in room.resource or "storage" in room.resource else Decimal(1)
        holds = "yes" if room.needed <= room.granted else "NO"
        name = f"{room.resource}, GiB" if unit == GIB else room.resource
        rows.append((name, _short(room.needed / unit), _short(room.granted / unit), holds, room.quota))
    show_table(
        "What an upgrade needs at the maximum of everything", ("resource", "needs", "quota", "holds", "of"), rows
    )


def _show_network(said: "Explanation") -> None:
    rows = [
        (_together(reach.sources), _together(reach.targets), ", ".join(reach.ports) or "every port",
         ", ".join(reach.policies))
        for reach in said.network
    ]  # fmt: skip
    show_table("Who reaches what", ("who", "reaches", "at", "by NetworkPolicy"), rows)


def _together(names: Sequence[str]) -> str:
    """Write the pods of one object once: `RayService retail-api (head, serve)`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        kind, _, rest = name.partition(" ")
        own, _, group = rest.partition(" ")
        is_pod = kind[0].isupper()
        groups.setdefault(f"{kind} {own}" if is_pod else name, []).extend([group] if is_pod and group else [])
    return "\n".join(f"{name} ({', '.join(parts)})" if parts else name for name, parts in groups.items())


def _short(value: Decimal) -> str:
    """Write a number with two decimals at most."""
    return f"{value.quantize(Decimal('0.01')).normalize():f}"


def _exit(code: int) -> None:
    raise typer.Exit(code)
