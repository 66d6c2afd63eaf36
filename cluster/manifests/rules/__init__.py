"""What a manifest must obey beside its schema: every rule, once; a rule is data and a function of the overlay."""

from cluster.manifests.rules import (
    auth,
    fault_tolerance,
    fields,
    groups,
    names,
    neighbours,
    network,
    placement,
    pods,
    programs,
    rayjob,
    rayservice,
    references,
    rights,
    schedule,
    security,
    serving,
    versions,
    ways,
    workloads,
)
from cluster.manifests.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *names.RULES,
    *groups.RULES,
    *fault_tolerance.RULES,
    *auth.RULES,
    *rayservice.RULES,
    *serving.RULES,
    *rayjob.RULES,
    *placement.RULES,
    *pods.RULES,
    *workloads.RULES,
    *schedule.RULES,
    *programs.RULES,
    *security.RULES,
    *network.RULES,
    *ways.RULES,
    *neighbours.RULES,
    *rights.RULES,
    *references.RULES,
    *versions.RULES,
    *fields.RULES,
)
"""In the order of docs/manifest_rules.md."""
