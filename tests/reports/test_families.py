from result_parts import FIELDS, SIDECAR

from webhook_fuzz.reports.families import (
    UNKNOWN_MINOR,
    group_by_family,
    group_by_minor,
    summarise_paths,
)


def label(*paths: str) -> str:
    return group_by_family(paths)[0].label


def test_minors_come_oldest_first_and_unknown_fields_last() -> None:
    groups = group_by_minor([SIDECAR, "spec.os", "spec.resources", "spec.news"], FIELDS)
    assert list(groups) == ["1.23", "1.28", "1.32", UNKNOWN_MINOR]
    assert groups[UNKNOWN_MINOR] == ("spec.news",)


def test_the_same_member_in_every_kind_of_container_is_one_family() -> None:
    assert label("spec.containers[].resizePolicy", "spec.initContainers[].resizePolicy") == (
        "resizePolicy"
    )


def test_where_paths_differ_a_star_stands() -> None:
    assert (
        label(
            "spec.containers[].lifecycle.postStart.sleep",
            "spec.initContainers[].lifecycle.preStop.sleep",
        )
        == "lifecycle.*.sleep"
    )
    assert label("spec.volumes[].secret.items[].user", "spec.volumes[].user") == "*.user"


def test_one_path_is_written_out_without_spec() -> None:
    assert label("spec.volumes[].image") == "volumes[].image"


def test_native_sidecars_are_named_first_whatever_else_is_lost() -> None:
    paths = [path for path, field in FIELDS.items() if field["since"] in {"1.28", "1.37"}]
    assert summarise_paths(paths) == f"initContainers[].restartPolicy +{len(paths) - 2}"


def test_every_path_is_in_exactly_one_family() -> None:
    families = group_by_family(FIELDS)
    assert sorted(path for family in families for path in family.paths) == sorted(FIELDS)
