import copy
import re
from pathlib import Path

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.applying import apply_trigger
from webhook_fuzz.corpora.triggers.documents import MAX_FILE_BYTES
from webhook_fuzz.corpora.triggers.loading import (
    NO_TRIGGER,
    Trigger,
    load_shipped_triggers,
    load_trigger_file,
)
from webhook_fuzz.corpora.triggers.selecting import select_triggers
from webhook_fuzz.corpora.triggers.syntax import (
    fault_of_annotation_key,
    fault_of_label_key,
    fault_of_label_value,
)

SHIPPED = load_shipped_triggers()


def pod() -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "initContainers": [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}],
            "containers": [
                {
                    "name": "app",
                    "image": "app:1",
                    "env": [{"name": "MODE", "value": "live"}],
                    "ports": [{"containerPort": 53, "protocol": "TCP"}],
                    "livenessProbe": {"grpc": {"port": 8080}},
                },
                {"name": "side", "image": "side:1"},
            ],
            "volumes": [{"name": "data", "configMap": {"name": "settings"}}],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        },
    }


def spec_with(spec: JsonObject) -> JsonObject:
    applied = apply_trigger(pod(), Trigger(name="t", spec=spec))["spec"]
    assert isinstance(applied, dict)
    return applied


def load(tmp_path: Path, text: str) -> tuple[Trigger, ...]:
    path = tmp_path / "triggers.yaml"
    path.write_text(text, encoding="utf-8")
    return load_trigger_file(path)


def test_the_catalogue_knows_many_webhooks_and_several_ways_into_some() -> None:
    assert len({trigger.webhook for trigger in SHIPPED}) >= 34
    assert len(SHIPPED) >= 55


def test_every_shipped_trigger_names_webhook_source_and_reason() -> None:
    for trigger in SHIPPED:
        assert trigger.webhook, trigger.name
        assert re.search(r"[\w.-]+/[\w.-]+( \(v[\d.]+\))?:|https://", trigger.source), trigger.name
        assert trigger.because.endswith("."), trigger.name


def test_shipped_names_are_unique_and_each_way_into_a_webhook_differs() -> None:
    assert len({trigger.name for trigger in SHIPPED}) == len(SHIPPED)
    ways = [
        (trigger.webhook, str(apply_trigger(pod(), trigger)), str(trigger.namespace_labels))
        for trigger in SHIPPED
    ]
    assert len(set(ways)) == len(ways)


@pytest.mark.parametrize("trigger", SHIPPED, ids=lambda trigger: trigger.name)
def test_a_shipped_trigger_is_valid_and_adds_something(trigger: Trigger) -> None:
    assert [fault_of_annotation_key(key) for key in trigger.annotations if key] == [None] * len(
        trigger.annotations
    )
    for labels in (trigger.labels, trigger.namespace_labels):
        assert [fault_of_label_key(key) for key in labels] == [None] * len(labels)
        assert [fault_of_label_value(value) for value in labels.values()] == [None] * len(labels)
    assert trigger.namespace_labels or apply_trigger(pod(), trigger) != pod()


@pytest.mark.parametrize("trigger", SHIPPED, ids=lambda trigger: trigger.name)
def test_a_shipped_trigger_applied_twice_changes_nothing_more(trigger: Trigger) -> None:
    once = apply_trigger(pod(), trigger)
    assert apply_trigger(once, trigger) == once


@pytest.mark.parametrize("trigger", SHIPPED, ids=lambda trigger: trigger.name)
def test_applying_keeps_what_the_pod_had_and_its_input(trigger: Trigger) -> None:
    given = pod()
    before = copy.deepcopy(given)
    applied = apply_trigger(given, trigger)
    assert given == before
    spec = applied["spec"]
    assert isinstance(spec, dict)
    assert isinstance(spec["containers"], list)
    assert isinstance(spec["initContainers"], list)
    names = [each["name"] for each in spec["containers"] if isinstance(each, dict)]
    assert names[:2] == ["app", "side"]
    sidecar = spec["initContainers"][0]
    assert isinstance(sidecar, dict)
    assert sidecar["restartPolicy"] == "Always"


def test_what_is_added_is_a_copy_so_that_changing_the_pod_spares_the_trigger() -> None:
    trigger = Trigger(name="t", labels={"a": "b"}, spec={"volumes": [{"name": "v"}]})
    applied = apply_trigger({"metadata": {}, "spec": {}}, trigger)
    assert isinstance(applied["spec"], dict)
    assert isinstance(applied["spec"]["volumes"], list)
    assert isinstance(applied["spec"]["volumes"][0], dict)
    applied["spec"]["volumes"][0]["emptyDir"] = {}
    assert trigger.spec == {"volumes": [{"name": "v"}]}


def test_no_trigger_changes_nothing() -> None:
    given = pod()
    assert apply_trigger(given, NO_TRIGGER) is given


def test_labels_annotations_and_namespace_go_into_the_metadata() -> None:
    trigger = Trigger(name="t", labels={"x": "y"}, annotations={"a/b": "c"}, namespace="other")
    assert apply_trigger(pod(), trigger)["metadata"] == {
        "name": "web",
        "namespace": "other",
        "labels": {"app": "web", "x": "y"},
        "annotations": {"a/b": "c"},
    }


def test_namespace_labels_leave_the_pod_alone() -> None:
    given = pod()
    assert apply_trigger(given, Trigger(name="t", namespace_labels={"x": "y"})) is given


def test_the_deprecated_service_account_field_follows_where_it_is_set() -> None:
    trigger = Trigger(name="t", service_account_name="robot")
    applied = apply_trigger(pod(), trigger)["spec"]
    assert isinstance(applied, dict)
    assert (applied["serviceAccountName"], applied["serviceAccount"]) == ("robot", "robot")
    assert apply_trigger({"spec": {}}, trigger) == {"spec": {"serviceAccountName": "robot"}}


def test_the_image_goes_into_every_container_and_init_container() -> None:
    applied = apply_trigger(pod(), Trigger(name="t", image="new:2"))["spec"]
    assert isinstance(applied, dict)
    lists = (applied["initContainers"], applied["containers"])
    images = [
        each["image"]
        for containers in lists
        if isinstance(containers, list)
        for each in containers
        if isinstance(each, dict)
    ]
    assert images == ["new:2"] * 3


def test_env_for_the_star_reaches_every_container_and_replaces_the_same_name() -> None:
    env: JsonObject = {"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    applied = spec_with({"containers": [{"name": "*", "env": [env]}]})
    assert isinstance(applied["containers"], list)
    assert [each["env"] for each in applied["containers"] if isinstance(each, dict)] == [[env]] * 2


def test_the_star_reaches_an_appended_container_too() -> None:
    applied = spec_with(
        {"containers": [{"name": "*", "command": ["/x"]}, {"name": "new", "image": "new:1"}]}
    )
    assert isinstance(applied["containers"], list)
    assert applied["containers"][2] == {"name": "new", "image": "new:1", "command": ["/x"]}
    assert len(applied["containers"]) == 3


def test_the_star_adds_no_list_to_a_pod_without_init_containers() -> None:
    spec: JsonObject = {"initContainers": [{"name": "*", "command": ["/x"]}]}
    assert apply_trigger({"spec": {}}, Trigger(name="t", spec=spec)) == {"spec": {}}


def test_a_named_container_is_merged_and_null_removes_a_member() -> None:
    probe: JsonObject = {"grpc": None, "exec": {"command": ["true"]}}
    applied = spec_with({"containers": [{"name": "app", "image": "a:2", "livenessProbe": probe}]})
    assert isinstance(applied["containers"], list)
    container = applied["containers"][0]
    assert isinstance(container, dict)
    assert container["livenessProbe"] == {"exec": {"command": ["true"]}}
    assert container["env"] == [{"name": "MODE", "value": "live"}]


def test_a_volume_of_the_same_name_is_replaced_not_given_two_sources() -> None:
    applied = spec_with({"volumes": [{"name": "data", "emptyDir": {}}, {"name": "more"}]})
    assert applied["volumes"] == [{"name": "data", "emptyDir": {}}, {"name": "more"}]


def test_ports_are_told_apart_by_number_and_protocol_with_tcp_as_default() -> None:
    ports: list[JsonObject] = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]
    applied = spec_with({"containers": [{"name": "app", "image": "a", "ports": [*ports]}]})
    assert isinstance(applied["containers"], list)
    assert isinstance(applied["containers"][0], dict)
    assert applied["containers"][0]["ports"] == [ports[1], ports[0]]


def test_objects_without_a_key_are_appended_once() -> None:
    old: JsonObject = {"key": "gpu", "operator": "Exists"}
    new: JsonObject = {"key": "spot", "operator": "Exists"}
    assert spec_with({"tolerations": [old, new]})["tolerations"] == [old, new]


def test_a_file_of_several_triggers_is_read_in_order(tmp_path: Path) -> None:
    first, second = load(
        tmp_path,
        """
        triggers:
          - name: team-injector
            annotations: {Inject.Example.com/Config: "any: thing"}
            labels: {inject.example.com/enabled: "true", empty: ""}
            serviceAccountName: robot.v2
            namespace: shop
            namespaceLabels: {team: payments}
            image: docker.io/library/nginx:1.27
            spec: {nodeSelector: {env: prod}, containers: [{name: "*", env: [{name: A}]}]}
          - name: second
        """,
    )
    assert first.annotations == {"Inject.Example.com/Config": "any: thing"}
    assert first.labels == {"inject.example.com/enabled": "true", "empty": ""}
    assert (first.service_account_name, first.namespace) == ("robot.v2", "shop")
    assert first.namespace_labels == {"team": "payments"}
    assert first.image == "docker.io/library/nginx:1.27"
    assert first.spec["nodeSelector"] == {"env": "prod"}
    assert first.source == str(tmp_path / "triggers.yaml")
    assert second == Trigger(name="second", source=first.source)


BAD_ENTRIES = {
    "{name: a, lables: {}}": r"entry 1 \(a\): lables: is not a member",
    "{name: a, because: x}": "because: is not a member",
    "{labels: {}}": r"entry 1: name: is missing",
    "{name: none}": "means no trigger",
    "{name: Upper}": "'Upper' is not made of lower case",
    "{name: 7}": "name: must be a string, not number",
    "{name: a, labels: [x]}": "labels: must be a mapping, not array",
    "{name: a, labels: {x: true}}": r"labels\['x'\]: must be a string, not bool",
    "{name: a, labels: {x: a b}}": r"labels\['x'\]: has the value 'a b'",
    "{name: a, labels: {Up.io/x: y}}": "has the prefix 'Up.io', which is not a DNS subdomain",
    "{name: a, labels: {a/b/c: y}}": "has the prefix 'a/b'",
    "{name: a, labels: {x/: y}}": "has no name of letters",
    "{name: a, namespaceLabels: {-x: y}}": r"namespaceLabels\['-x'\]",
    "{name: a, annotations: {x: 8080}}": r"annotations\['x'\]: must be a string, not number",
    "{name: a, annotations: {x y: z}}": r"annotations\['x y'\]: has no name",
    "{name: a, serviceAccountName: A}": "serviceAccountName: 'A' is not a DNS subdomain",
    "{name: a, namespace: x.y}": "namespace: 'x.y' is not made of",
    "{name: a, image: ' x'}": "image: ' x' is empty or has white space",
    "{name: a, spec: []}": "spec: must be a mapping, not array",
    "{name: a, spec: {containers: {}}}": "spec.containers: must be a list, not object",
    "{name: a, spec: {containers: null}}": "spec.containers: must be a list, not null",
    "{name: a, spec: {containers: [{env: []}]}}": r"spec.containers\[0\]: has no name",
    "{name: a, spec: {containers: [{name: x}]}}": "names one container but gives no image",
    "{name: a, spec: {volumes: [data]}}": r"spec.volumes\[0\]: has no name",
    "{name: a, spec: {containers: [{name: '*', env: [{value: x}]}]}}": (
        r"spec.containers\[0\].env\[0\]: has no name"
    ),
    "{name: a, spec: {x: 2026-01-01}}": "JSON does not have",
    "{name: a, spec: {x: .nan}}": "JSON does not have",
    "{name: a, labels: {on: x}}": "JSON does not have",
    "{name: a, name: b}": "line 1 gives 'name' a second time",
    "text": "entry 1 must be a mapping, not string",
}


@pytest.mark.parametrize("entry", BAD_ENTRIES)
def test_a_bad_entry_is_refused_by_file_entry_and_member(tmp_path: Path, entry: str) -> None:
    with pytest.raises(InputError, match=BAD_ENTRIES[entry]) as caught:
        load(tmp_path, f"triggers: [{entry}]")
    assert "triggers.yaml" in caught.value.message
    assert caught.value.hint


BAD_FILES = {
    "": "must have the one member 'triggers'",
    "- name: a": "must have the one member 'triggers'",
    "{triggers: [{name: a}], more: 1}": "must have the one member 'triggers'",
    "triggers: {name: a}": "triggers must be a list, not object",
    "triggers: []": "holds no trigger",
    "triggers: [": "not valid YAML",
    "triggers: [{name: !!python/name:os.system }]": "not valid YAML",
    "triggers: [{name: a}]\n---\ntriggers: []": "not valid YAML",
    "triggers: [{name: a}, {name: a}]": "the name 'a' is given twice",
    "triggers: [&x {name: a}, *x]": "used again through an alias",
    "triggers: &x [*x]": "used again through an alias",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=BAD_FILES[text]):
        load(tmp_path, text)


def test_deep_nesting_is_refused_without_a_crash(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not valid YAML"):
        load(tmp_path, "[" * 2000)


def test_a_file_that_is_too_large_absent_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "triggers.yaml"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_trigger_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        load_trigger_file(path)
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(InputError, match="larger than"):
        load_trigger_file(path)


def test_annotations_have_a_limit_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="annotations: have 262145 bytes"):
        load(tmp_path, f"triggers: [{{name: a, annotations: {{x: {'y' * 262144}}}}}]")


def test_keys_and_values_of_labels_have_63_characters() -> None:
    assert fault_of_label_key("example.com/" + "a" * 63) is None
    assert fault_of_label_key("a" * 64) is not None
    assert fault_of_label_key("a" * 254 + "/x") is not None
    assert fault_of_label_key("") is not None
    assert fault_of_label_value("a" * 64) is not None


def test_triggers_are_chosen_by_name_by_webhook_or_not_at_all() -> None:
    chosen = select_triggers(["istio-label", "Vault", "none", "vault-agent-cache"], SHIPPED)
    names = [trigger.name for trigger in chosen]
    assert names[0] == "istio-label"
    assert names[-1] == "none"
    assert {trigger.webhook for trigger in chosen[1:-1]} == {"HashiCorp Vault agent injector"}
    assert len(names) == len(set(names))


def test_several_words_narrow_the_choice() -> None:
    chosen = select_triggers(["intel sgx"], SHIPPED)
    assert {trigger.name for trigger in chosen} == {"intel-sgx-epc", "intel-sgx-aesmd"}


@pytest.mark.parametrize(("text", "meant"), [("isto", "istio"), ("vault-agent-init", "-first")])
def test_an_unknown_name_is_answered_with_close_ones(text: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"called '{text}'") as caught:
        select_triggers([text], SHIPPED)
    assert meant in caught.value.hint


@pytest.mark.parametrize("text", ["", "zzzz"])
def test_a_name_like_nothing_gets_the_rule_only(text: str) -> None:
    with pytest.raises(InputError) as caught:
        select_triggers([text], SHIPPED)
    assert "Did you mean" not in caught.value.hint
