"""Is a patch that is bound to break told from one that only looks unusual?"""

import pytest

from observed import add, container, findings, pod, remove, replace, told
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.checks.shapes import mechanism
from webhook_fuzz.fuzzer.findings import Finding

Patch = list[dict[str, JsonValue]]

TWO = pod(
    containers=[
        container("a", args=["1", "2"], env=[{"name": "A"}, {"name": "B"}]),
        container("b"),
    ],
    volumes=[{"name": "v", "emptyDir": {}}],
)


def spec_of(the_pod: JsonObject) -> JsonObject:
    spec = the_pod["spec"]
    assert isinstance(spec, dict)
    return spec


def elements(the_pod: JsonObject, name: str) -> list[JsonValue]:
    found = spec_of(the_pod)[name]
    assert isinstance(found, list)
    return found


def codes(found: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in found}


class TestFullObjectReplacement:
    @pytest.mark.parametrize("path", ["", "/spec", "/metadata"])
    @pytest.mark.parametrize("op", ["add", "replace"])
    def test_fires_even_if_nothing_is_lost(self, op: str, path: str) -> None:
        value = TWO if not path else TWO[path[1:]]
        found = findings(TWO, [{"op": op, "path": path, "value": value}])
        assert "WF201" in codes(found)

    @pytest.mark.parametrize("path", ["/spec/nodeSelector", "/metadata/labels", "/status"])
    def test_is_silent_for_anything_below(self, path: str) -> None:
        assert "WF201" not in codes(findings(TWO, [add(path, {"a": "b"})]))


class TestListReplaced:
    @pytest.mark.parametrize(
        ("name", "new"), [("containers", container("new")), ("volumes", {"name": "new"})]
    )
    @pytest.mark.parametrize("op", ["add", "replace"])
    def test_fires_for_a_list_that_was_there(self, op: str, name: str, new: JsonObject) -> None:
        value: list[JsonValue] = [*elements(TWO, name), new]
        (found,) = findings(TWO, [{"op": op, "path": f"/spec/{name}", "value": value}])
        assert (found.code, found.field, found.culprits) == ("WF202", f"spec.{name}", (0,))

    def test_fires_for_a_list_inside_an_element(self) -> None:
        env: JsonValue = [{"name": "A"}, {"name": "B"}, {"name": "C"}]
        found = findings(TWO, [replace("/spec/containers/0/env", env)])
        assert [finding.field for finding in found] == ["spec.containers[].env"]

    def test_fires_for_an_element_that_is_replaced(self) -> None:
        found = findings(TWO, [replace("/spec/containers/1", container("b"))])
        assert "WF202" in codes(found)

    @pytest.mark.parametrize(
        "patch",
        [
            [add("/spec/initContainers", [container("i")])],
            [add("/spec/initContainers", []), add("/spec/initContainers/-", container("i"))],
            [add("/spec/containers/0", container("first"))],
            [add("/spec/containers/1", container("between"))],
            [add("/spec/containers/-", container("last"))],
            [add("/spec/containers/1/env", [{"name": "A", "value": "x"}])],
            [add("/spec/containers/0/args", ["0", "1", "2"])],
            [replace("/spec/containers/0/args/1", "2")],
        ],
    )
    def test_is_silent_for_lists_that_were_not_there_elements_that_are_added_and_scalars(
        self, patch: Patch
    ) -> None:
        assert not codes(findings(TWO, patch)) & {"WF201", "WF202", "WF203"}


class TestElementRecreated:
    def test_fires_where_an_element_is_removed_and_added(self) -> None:
        first = elements(TWO, "containers")[0]
        found = findings(TWO, [remove("/spec/containers/0"), add("/spec/containers/0", first)])
        assert codes(found) == {"WF203", "WF207"}
        assert (found[0].field, found[0].culprits) == ("spec.containers[]", (0, 1))

    def test_fires_for_an_element_that_comes_back_in_another_place(self) -> None:
        first = elements(TWO, "containers")[0]
        found = findings(TWO, [remove("/spec/containers/0"), add("/spec/containers/-", first)])
        assert codes(found) == {"WF203", "WF204"}

    def test_is_silent_where_one_is_removed_and_another_added(self) -> None:
        found = findings(TWO, [remove("/spec/volumes/0"), add("/spec/volumes/-", {"name": "w"})])
        assert codes(found) == {"WF105"}

    def test_is_silent_where_the_same_name_is_in_another_list(self) -> None:
        patch = [remove("/spec/volumes/0"), add("/spec/containers/-", container("v"))]
        assert "WF203" not in codes(findings(TWO, patch))


class TestOrderChanged:
    def test_fires_for_containers_and_says_both_orders(self) -> None:
        move: dict[str, JsonValue] = {"op": "move", "from": "/spec/containers/0"}
        (found,) = findings(TWO, [{**move, "path": "/spec/containers/-"}])
        assert (found.code, found.path) == ("WF204", "spec.containers")
        assert (found.before, found.after) == (["name=a", "name=b"], ["name=b", "name=a"])

    def test_fires_for_variables_which_expand_in_order(self) -> None:
        move: dict[str, JsonValue] = {"op": "move", "from": "/spec/containers/0/env/0"}
        found = findings(TWO, [{**move, "path": "/spec/containers/0/env/-"}])
        assert told(found) == [("WF204", "spec.containers[name=a].env")]

    def test_fires_for_arguments(self) -> None:
        found = findings(TWO, [replace("/spec/containers/0/args", ["2", "1"])])
        assert told(found) == [("WF204", "spec.containers[name=a].args")]

    def test_is_silent_where_something_is_put_between_what_was_there(self) -> None:
        patch = [
            add("/spec/containers/0", container("x")),
            add("/spec/containers/2", container("y")),
            add("/spec/containers/1/env/1", {"name": "X", "value": "1"}),
        ]
        assert findings(TWO, patch) == ()

    def test_is_silent_for_lists_that_are_sets(self) -> None:
        sent = pod(
            containers=[
                container("a", securityContext={"capabilities": {"drop": ["NET_RAW", "ALL"]}})
            ],
            volumes=[{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}],
        )
        patch: Patch = [
            replace("/spec/containers/0/securityContext/capabilities/drop", ["ALL", "NET_RAW"]),
            {"op": "move", "from": "/spec/volumes/0", "path": "/spec/volumes/-"},
        ]
        assert "WF204" not in codes(findings(sent, patch))


class TestTypedRoundTrip:
    @pytest.mark.parametrize(
        "operation", [add("/metadata/creationTimestamp", None), remove("/spec/hostUsers")]
    )
    def test_fires_for_what_only_marshalling_leaves(self, operation: dict[str, JsonValue]) -> None:
        sent = pod(hostUsers=False)
        assert "WF205" in codes(findings(sent, [operation]))

    def test_is_silent_where_a_prepending_diff_removes_and_nothing_is_lost(self) -> None:
        sent = pod(initContainers=[container("s", restartPolicy="Always")])
        patch = [
            add("/spec/initContainers/1", container("s", restartPolicy="Always")),
            replace("/spec/initContainers/0/name", "new"),
            replace("/spec/initContainers/0/image", "new:1"),
            remove("/spec/initContainers/0/restartPolicy"),
            remove("/spec/initContainers/0/resources"),
        ]
        assert findings(sent, patch) == ()

    def test_is_silent_where_resources_are_set_that_were_empty(self) -> None:
        patch = [
            add("/spec/containers/0/resources", {}),
            add("/spec/containers/0/resources/requests", {}),
            add("/spec/containers/0/resources/requests/cpu", "100m"),
        ]
        assert findings(pod(), patch) == ()


class TestGhostElement:
    @pytest.mark.parametrize(
        ("patch", "path"),
        [
            ([add("/spec/containers/-", {"env": []})], "spec.containers[1]"),
            ([add("/spec/containers/-", {"name": "x"})], "spec.containers[name=x]"),
            ([add("/spec/initContainers", [{"env": []}])], "spec.initContainers[0]"),
            ([add("/spec/volumes", [{"emptyDir": {}}])], "spec.volumes[0]"),
            (
                [add("/spec/containers/0/env", [{"value": "x"}])],
                "spec.containers[name=app].env[0]",
            ),
            (
                [add("/spec/containers/-", container("y", volumeMounts=[{"name": "v"}]))],
                "spec.containers[name=y].volumeMounts[0]",
            ),
        ],
    )
    def test_fires_for_an_element_without_what_makes_it_one(self, patch: Patch, path: str) -> None:
        found = [finding for finding in findings(pod(), patch) if finding.code == "WF206"]
        assert told(tuple(found)) == [("WF206", path)]

    def test_is_silent_for_whole_elements(self) -> None:
        agent = container(
            "agent",
            env=[{"name": "A"}],
            volumeMounts=[{"name": "v", "mountPath": "/v"}],
            ports=[{"containerPort": 1}],
        )
        patch = [add("/spec/containers/-", agent), add("/spec/volumes", [{"name": "v"}])]
        assert findings(pod(), patch) == ()


class TestNeedlessPatch:
    def test_fires_where_the_pod_means_the_same(self) -> None:
        patch = [replace("/spec/containers/0/image", "registry.example.com/app:1")]
        (found,) = findings(pod(), patch)
        assert (found.code, found.culprits) == ("WF207", (0,))

    @pytest.mark.parametrize(
        "patch",
        [
            [add("/spec/dnsConfig/nameservers/0", "192.0.2.1")],
            [add("/spec/dnsConfig/nameservers/-", "192.0.2.1")],
            [add("/metadata/finalizers", ["a/b"])],
            [add("/metadata/labels", {"a": ""})],
        ],
    )
    def test_is_silent_where_anything_was_added(self, patch: Patch) -> None:
        sent = pod(dnsConfig={"nameservers": ["192.0.2.53"]})
        assert findings(sent, patch) == ()


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        ([], "surgical"),
        ([add("/metadata/labels", {"a": "b"})], "surgical"),
        ([add("/spec/containers/0", container("x"))], "surgical"),
        ([remove("/spec/hostUsers")], "typed-round-trip"),
        ([remove("/spec/volumes/0"), add("/spec/volumes/0", {"name": "v"})], "element-recreation"),
        ([replace("/spec/volumes", [])], "list-replacement"),
        (
            [replace("/spec", {"containers": []}), remove("/spec/containers")],
            "full-object-replacement",
        ),
    ],
)
def test_the_mechanism_is_the_worst_the_patch_shows(patch: Patch, name: str) -> None:
    sent = pod(hostUsers=False, volumes=[{"name": "v", "emptyDir": {}}])
    assert mechanism(findings(sent, patch)) == name


def test_values_that_moved_show_that_lists_were_compared_by_index() -> None:
    moved = Finding(code="WF104", explanation="x")
    lost = Finding(code="WF102", explanation="x")
    assert mechanism([lost, moved]) == "index-comparison"
