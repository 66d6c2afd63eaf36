"""The changes that the mutation tests make: the tool of a proof is proved first."""

import pytest
import yaml

from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.rules.rule import ABSENT, Change
from tests.unit.cluster.manifests.rules.changes import with_changes


def overlay() -> Overlay:
    job = {"kind": "Job", "metadata": {"name": "a", "annotations": {"x.io/y": "1"}}, "spec": {"list": [{"n": 1}]}}
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"t.json": '{"spec": {"n": 1}}', "y": "a: [1]\n"}}
    return Overlay("dev", [Manifest(job, "job.yaml"), Manifest(config)], Versions("2.60.0", "3.11", "3.5.7", "1.6.5"))


def test_a_change_leaves_the_rendered_object_as_it_was() -> None:
    before = overlay()
    after, made = with_changes(before, [Change("Job a", "spec.list.0.n", 2), Change("Job a", "spec.new.deep", True)])

    assert [manifest.spec for manifest in made] == [{"list": [{"n": 2}], "new": {"deep": True}}]
    assert before.objects[0].spec == {"list": [{"n": 1}]}
    assert (made[0].file, after.objects[1]) == ("job.yaml", before.objects[1])


def test_keys_with_dots_strings_with_yaml_and_whole_objects_can_change() -> None:
    after, _ = with_changes(
        overlay(),
        [
            Change("Job a", "metadata.annotations.[x.io/y]", ABSENT),
            Change("ConfigMap c", "data.[t.json].spec.n", 2),
            Change("ConfigMap c", "data.y.a.0", 3),
            Change("Service s", "", {"kind": "Service", "metadata": {"name": "s"}}),
        ],
    )

    job, config, service = after.objects
    assert job.body["metadata"]["annotations"] == {}
    assert {key: yaml.safe_load(text) for key, text in config.body["data"].items()} == {
        "t.json": {"spec": {"n": 2}}, "y": {"a": [3]},
    }  # fmt: skip
    assert str(service) == "Service s"
    assert [str(left) for left in with_changes(after, [Change("Job a", "", ABSENT)])[0].objects] == [
        "ConfigMap c", "Service s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        Change("Job b", "spec.x", 1),
        Change("Job a", "spec.list.1.n", 1),
        Change("Job a", "spec.none", ABSENT),
        Change("Job a", "spec.list.0.n", 1),
    ],
)
def test_a_change_that_changes_nothing_is_an_error(change: Change) -> None:
    with pytest.raises(AssertionError):
        with_changes(overlay(), [change])
