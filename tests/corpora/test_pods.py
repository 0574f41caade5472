"""Does a keyed path lead to the same value however many elements are put before it?"""

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import (
    ABSENT,
    Step,
    catalogue_path,
    containers,
    element_key,
    element_keys,
    parse_path,
    render_path,
    value_at,
    without,
)

POD: JsonObject = {
    "metadata": {"annotations": {"a.io/b": "1", "x}y": "2", "back\\slash": "3"}},
    "spec": {
        "initContainers": [{"name": "logs", "restartPolicy": "Always"}],
        "containers": [
            {
                "name": "app",
                "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}],
                "volumeMounts": [{"mountPath": "/a[0]", "name": "v"}],
                "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            }
        ],
        "tolerations": [{"key": "a"}, {"key": "b", "effect": None}],
    },
}

members = st.text(st.characters(exclude_characters=".[]{}"), min_size=1)
steps = st.lists(
    st.one_of(
        members.map(lambda name: Step("member", name)),
        st.text().map(lambda name: Step("element", name)),
        st.text().map(lambda name: Step("entry", name)),
    ),
    max_size=8,
).map(tuple)


@given(steps)
def test_a_rendered_path_is_parsed_to_the_same_steps(path: tuple[Step, ...]) -> None:
    assert parse_path(render_path(path)) == path


@given(st.text())
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        steps = parse_path(text)
        assert parse_path(render_path(steps)) == steps


@pytest.mark.parametrize("text", ["a..b", "a[b", "a]", "a{b", "a.", "."])
def test_what_is_no_path_is_refused_with_the_column(text: str) -> None:
    with pytest.raises(InputError, match=r"column \d"):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.initContainers[name=logs].restartPolicy", "Always"),
        ("spec.containers[name=app].ports[containerPort=80,protocol=UDP].protocol", "UDP"),
        ("spec.containers[name=app].ports[containerPort=80,protocol=TCP].containerPort", 80),
        ("spec.containers[name=app].volumeMounts[mountPath=/a[0\\]].name", "v"),
        ("spec.containers[name=app].env[name=A].value", "1"),
        ("spec.containers[name=app].env[name=A#2].value", "2"),
        ("spec.tolerations[1].key", "b"),
        ("spec.tolerations[1].effect", None),
        ("metadata.annotations{a.io/b}", "1"),
        ("metadata.annotations{x\\}y}", "2"),
        ("metadata.annotations{back\\\\slash}", "3"),
        ("spec.tolerations[2].key", ABSENT),
        ("spec.containers[name=other]", ABSENT),
        ("spec.containers.name", ABSENT),
        ("spec[0]", ABSENT),
        ("metadata.annotations{none}", ABSENT),
    ],
)
def test_a_path_leads_to_its_value_or_nowhere(path: str, value: JsonValue) -> None:
    assert value_at(POD, path) == value


def test_a_path_leads_to_the_same_element_after_another_was_put_before_it() -> None:
    pod = copy.deepcopy(POD)
    spec = pod["spec"]
    assert isinstance(spec, dict)
    assert isinstance(spec["initContainers"], list)
    spec["initContainers"].insert(0, {"name": "mesh"})
    assert value_at(pod, "spec.initContainers[name=logs].restartPolicy") == "Always"


@pytest.mark.parametrize(
    ("element", "keys", "key"),
    [
        ({"name": "a"}, ["name"], "name=a"),
        ({"containerPort": 80}, ["containerPort", "protocol"], "containerPort=80,protocol=TCP"),
        ({"containerPort": 80, "protocol": None}, ["protocol"], "protocol=TCP"),
        ({"image": "a"}, ["name"], None),
        ({"name": ["a"]}, ["name"], None),
        ("scalar", ["name"], None),
        ({"name": "a"}, [], None),
    ],
)
def test_an_element_is_known_by_its_merge_key(
    element: JsonValue, keys: list[str], key: str | None
) -> None:
    assert element_key(element, keys) == key


@given(st.lists(st.sampled_from([{"name": "a"}, {"name": "b"}, {"name": "2"}, {}, 3])))
def test_no_two_elements_have_the_same_key(elements: list[JsonValue]) -> None:
    keys = element_keys(elements, ["name"])
    assert len(set(keys)) == len(elements)


def test_a_catalogue_path_has_no_keys() -> None:
    path = "spec.containers[name=a.b].volumeMounts[mountPath=/x[0\\]].name"
    assert catalogue_path(path) == "spec.containers[].volumeMounts[].name"
    assert catalogue_path("metadata.annotations{a.io/b}") == "metadata.annotations{}"


class TestWithout:
    @pytest.mark.parametrize(
        "path",
        [
            "spec.initContainers[name=logs].restartPolicy",
            "spec.containers[name=app].env[name=A#2].value",
            "spec.tolerations[0].key",
            "metadata.annotations{a.io/b}",
            "spec",
        ],
    )
    def test_takes_out_one_value_and_changes_nothing_else(self, path: str) -> None:
        before = copy.deepcopy(POD)
        left = without(POD, path)
        assert before == POD
        assert value_at(left, path) is ABSENT
        assert left != POD

    @pytest.mark.parametrize(
        "path", ["spec.nothing.here", "spec.containers[name=x].image", "spec.containers[name=app]"]
    )
    def test_changes_nothing_where_there_is_no_such_member(self, path: str) -> None:
        assert without(POD, path) == POD

    def test_shares_what_is_beside_the_path(self) -> None:
        left = without(POD, "spec.tolerations[0].key")
        assert left["metadata"] is POD["metadata"]


def test_containers_are_found_with_their_list() -> None:
    assert [(name, c["name"]) for name, c in containers(POD)] == [
        ("initContainers", "logs"),
        ("containers", "app"),
    ]
    assert [name for name, _ in containers(POD, "containers")] == ["containers"]
    assert list(containers({})) == []
    assert list(containers({"spec": {"containers": [None, "x"]}})) == []
