"""Each rule has an example that it refuses, and that everything else accepts once the rule is gone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cluster.manifests import readers, schema
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Finding, Manifest, Overlay
from cluster.manifests.rules import RULES
from cluster.manifests.rules.rule import ABSENT, Rule
from tests.unit.cluster.manifests.rules.changes import with_changes

Overlays = Mapping[str, Overlay]


@pytest.fixture(scope="module")
def unchanged(overlays: Overlays) -> Mapping[str, set[Finding]]:
    """What the rules find without any change: nothing, says the first test; when it fails, the others still tell."""
    return {name: {found for rule in RULES for found in rule.findings(overlay)} for name, overlay in overlays.items()}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_rendered_overlays_break_no_rule(overlays: Overlays, name: str) -> None:
    assert [finding for rule in RULES for finding in rule.findings(overlays[name])] == []


def test_rules_have_names_of_their_own() -> None:
    assert [name for name, count in Counter(rule.id for rule in RULES).items() if count > 1] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_example_is_refused_by_its_rule_and_by_nothing_else(
    overlays: Overlays, unchanged: Mapping[str, set[Finding]], schemas: Crds, rule: Rule
) -> None:
    changed, made = with_changes(overlays[rule.overlay], rule.example)

    findings = rule.findings(changed)
    assert any(_is_expected(finding, rule, made) for finding in findings), findings
    assert {finding.rule for finding in findings} == {rule.id}

    others = {finding for other in RULES if other is not rule for finding in other.findings(changed)}
    assert others - unchanged[rule.overlay] == set()
    by_schema = schema.check(made, schemas)
    assert bool(by_schema) is (rule.also == "schema"), by_schema
    by_ray = [] if by_schema else readers.check(replace(changed, objects=made), schemas)
    assert bool(by_ray) is (rule.also == "readers"), by_ray


def _is_expected(finding: Finding, rule: Rule, made: list[Manifest]) -> bool:
    """Say whether a finding names what the example changed, or what the rule says that it names."""
    if rule.found_at:
        return finding.object == rule.found_at[0] and finding.field.endswith(rule.found_at[1])
    change = rule.example[0]
    if change.object.startswith("Values"):
        return (finding.object, finding.field) == (change.object, change.path)
    if change.path == "":
        assert change.value is not ABSENT
        return finding.object == str(made[0])
    is_near = finding.field.startswith(change.path) or change.path.startswith(finding.field)
    return is_near and finding.object == str(made[0]) and bool(finding.file and finding.reason and finding.remedy)
