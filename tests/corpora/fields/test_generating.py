"""Does the catalogue grow by exactly what a newer minor shows?"""

import pytest

from webhook_fuzz.corpora.fields.client_models import SeenField
from webhook_fuzz.corpora.fields.generating import (
    CatalogueDocument,
    FieldEntry,
    add_minor,
    empty_document,
    parent_path,
)
from webhook_fuzz.corpora.versions import Minor


def seen(
    path: str, type_name: str = "string", owner: str = "", *, required: bool = False
) -> SeenField:
    name = path.rpartition(".")[2]
    return SeenField(path=path, type=type_name, owner=owner or f"S.{name}", required=required)


def grown(*minors: list[SeenField]) -> CatalogueDocument:
    document = empty_document()
    for number, fields in enumerate(minors):
        document = add_minor(document, Minor(1, 19 + number), f"client {number}", fields)
    return document


def entry(document: CatalogueDocument, path: str) -> FieldEntry:
    return [field for field in document["fields"] if field["path"] == path][-1]


def test_what_a_newer_minor_has_is_new_since_then() -> None:
    document = grown([seen("spec.a")], [seen("spec.a"), seen("spec.b")])
    assert entry(document, "spec.a")["since"] == "1.19"
    assert entry(document, "spec.b")["since"] == "1.20"
    assert document["sources"] == {"1.19": "client 0", "1.20": "client 1"}


def test_only_the_topmost_new_path_is_a_root() -> None:
    new = [seen("spec.b", "B"), seen("spec.b.c")]
    document = grown([seen("spec.a", "A")], [seen("spec.a", "A"), seen("spec.a.x"), *new])
    roots = {field["path"] for field in document["fields"] if field["root"]}
    assert roots == {"spec.a.x", "spec.b"}


def test_what_a_newer_minor_has_no_more_was_removed_in_it() -> None:
    document = grown([seen("spec.a"), seen("spec.b")], [seen("spec.a")])
    assert entry(document, "spec.b").get("removed") == "1.20"
    assert "removed" not in entry(document, "spec.a")


def test_what_comes_back_has_two_entries_and_the_newer_one_last() -> None:
    document = grown([seen("spec.a")], [], [seen("spec.a")])
    assert [(e["since"], e.get("removed")) for e in document["fields"]] == [
        ("1.19", "1.20"),
        ("1.21", None),
    ]


def test_a_changed_type_is_noted_and_the_newest_kept() -> None:
    document = grown([seen("spec.a")], [seen("spec.a", "integer", required=True)])
    assert document["changed"] == [
        {"path": "spec.a", "minor": "1.20", "before": "string", "after": "integer"}
    ]
    assert (entry(document, "spec.a")["type"], entry(document, "spec.a")["required"]) == (
        "integer",
        True,
    )


def test_the_document_given_is_not_changed() -> None:
    first = grown([seen("spec.a")])
    add_minor(first, Minor(1, 20), "c", [seen("spec.b")])
    assert first == grown([seen("spec.a")])


@pytest.mark.parametrize("minor", [18, 19, 21])
def test_a_gap_or_an_older_minor_is_refused(minor: int) -> None:
    with pytest.raises(ValueError, match=r"ends at 1\.19"):
        add_minor(grown([seen("spec.a")]), Minor(1, minor), "c", [])


def test_gates_come_from_the_member_and_are_inherited() -> None:
    fields = [
        seen("spec.volumes", "[]Volume"),
        seen("spec.volumes[].image", "ImageVolumeSource", "Volume.image"),
        seen("spec.volumes[].image.reference", owner="ImageVolumeSource.reference"),
        seen("spec.initContainers", "[]Container"),
        seen("spec.initContainers[].restartPolicy", owner="Container.restartPolicy"),
    ]
    document = grown([], fields)
    assert "gate" not in entry(document, "spec.volumes")
    assert entry(document, "spec.volumes[].image").get("gate") == "ImageVolume"
    assert entry(document, "spec.volumes[].image.reference").get("gate") == "ImageVolume"
    policy = entry(document, "spec.initContainers[].restartPolicy")
    assert policy.get("gate") == "SidecarContainers"


def test_what_no_pod_can_carry_is_marked_with_the_reason() -> None:
    document = grown([seen("metadata.uid"), seen("metadata.labels")])
    assert entry(document, "metadata.uid")["creatable"] is False
    assert entry(document, "metadata.uid").get("not_creatable_because")
    assert entry(document, "metadata.labels")["creatable"] is True


@pytest.mark.parametrize(
    ("path", "parent"),
    [("spec.a.b", "spec.a"), ("spec.a[].b", "spec.a"), ("spec.a{}.b", "spec.a"), ("spec", "")],
)
def test_the_parent_of_a_path_is_the_field_it_is_a_member_of(path: str, parent: str) -> None:
    assert parent_path(path) == parent
