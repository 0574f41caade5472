"""Are conflicts seen before anything is changed, and is what does not conflict merged?"""

import copy

import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.generation.canaries import fill, kept_default
from webhook_fuzz.fuzzer.generation.exclusions import any_matches
from webhook_fuzz.fuzzer.generation.merging import conflicts, merge

SCHEMA = load_catalogue().schema(Minor(1, 37)).members["spec"]

PRESENT: JsonObject = {
    "hostNetwork": True,
    "volumes": [{"name": "v", "emptyDir": {}}, {"name": "p", "projected": {"sources": []}}],
    "containers": [
        {
            "name": "app",
            "args": ["a", "b"],
            "livenessProbe": {"httpGet": {"port": 1}},
            "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80}],
            "securityContext": {"capabilities": {"drop": ["ALL"]}},
        }
    ],
    "tolerations": [{"key": "a"}],
    "nodeSelector": {"a": "b"},
}


def container(**more: JsonValue) -> JsonObject:
    return {"containers": [{"name": "app", **more}]}


@pytest.mark.parametrize(
    "fragment",
    [
        {"hostNetwork": False},
        {"volumes": [{"name": "v", "image": {"reference": "r"}}]},
        {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}, "secret": {}}]},
        container(livenessProbe={"grpc": {"port": 2}}),
        container(livenessProbe={"httpGet": {"port": 2}}),
        container(env=[{"name": "A", "valueFrom": {"fieldRef": {}}}]),
        container(args=["b"]),
        container(ports=[{"containerPort": 80, "protocol": "TCP", "hostPort": 1}])
        | {"hostNetwork": False},
        container(securityContext={"capabilities": {"drop": ["NET_RAW"]}}),
        {"nodeSelector": {"a": "c"}},
    ],
)
def test_another_value_or_another_member_of_a_one_of_conflicts(fragment: JsonObject) -> None:
    before = copy.deepcopy(PRESENT)
    assert conflicts(PRESENT, fragment, SCHEMA)
    assert before == PRESENT


@pytest.mark.parametrize(
    ("fragment", "result"),
    [
        ({"hostNetwork": True}, {}),
        ({"hostPID": True}, {"hostPID": True}),
        ({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}, {}),
        ({"nodeSelector": {"c": "d"}}, {"nodeSelector": {"a": "b", "c": "d"}}),
        ({"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "a"}, {"key": "b"}]}),
        ({"serviceAccountName": "${keep:default}"}, {"serviceAccountName": "default"}),
    ],
)
def test_what_does_not_conflict_is_merged(fragment: JsonObject, result: JsonObject) -> None:
    target = copy.deepcopy(PRESENT)
    assert not conflicts(target, fragment, SCHEMA)
    merge(target, fragment, SCHEMA)
    assert {name: target[name] for name in result} == result


def test_elements_are_merged_by_their_key_and_new_ones_appended() -> None:
    target = copy.deepcopy(PRESENT)
    fragment = container(env=[{"name": "B", "value": "2"}], tty=True, workingDir="/w")
    assert not conflicts(target, fragment, SCHEMA)
    merge(target, fragment, SCHEMA)
    apps = target["containers"]
    assert isinstance(apps, list)
    app = apps[0]
    assert isinstance(app, dict)
    assert app["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert (app["tty"], app["args"]) == (True, ["a", "b"])


def test_merging_shares_nothing_with_the_fragment() -> None:
    target: JsonObject = {}
    fragment: JsonObject = {"dnsConfig": {"nameservers": ["1"]}, "volumes": [{"name": "v"}]}
    merge(target, fragment, SCHEMA)
    assert target == fragment
    config = target["dnsConfig"]
    assert isinstance(config, dict)
    assert isinstance(config["nameservers"], list)
    config["nameservers"].append("2")
    assert fragment["dnsConfig"] == {"nameservers": ["1"]}


def test_a_kept_default_gives_way_to_what_is_there() -> None:
    target: JsonObject = {"serviceAccountName": "mine"}
    fragment: JsonObject = {"serviceAccountName": "${keep:default}"}
    assert not conflicts(target, fragment, SCHEMA)
    merge(target, fragment, SCHEMA)
    assert target == {"serviceAccountName": "mine"}


def test_placeholders_are_filled_with_the_number_of_the_container() -> None:
    fragment: JsonObject = {
        "a": "x-${c}-y", "b": "${int:40}", "c": ["${pick:P|Q|R}"], "d": {"e": "${keep:v}"}, "f": 1
    }  # fmt: skip
    assert fill(fragment, 4) == {
        "a": "x-c4-y", "b": 44, "c": ["Q"], "d": {"e": "${keep:v}"}, "f": 1
    }  # fmt: skip
    assert kept_default("${keep:v}") == "v"
    assert kept_default("v") is None


@pytest.mark.parametrize(
    ("exclusion", "matches"),
    [
        ("spec.hostNetwork=true", True),
        ("spec.hostNetwork=false", False),
        ("spec.hostNetwork", True),
        ("spec.hostUsers", False),
        ("spec.containers[].livenessProbe", True),
        ("spec.containers[].name=app", True),
        ("spec.containers[].name=other", False),
        ("spec.initContainers[].name", False),
        ("metadata.annotations{x.io/a}", True),
        ("metadata.annotations{x.io/*}", True),
        ("metadata.annotations{y.io/*}", False),
        ("metadata.labels{*}", False),
        ("spec.volumes[].emptyDir", True),
        ("spec.volumes[].projected.sources[].secret", False),
    ],
)
def test_an_exclusion_matches_what_is_at_its_path(exclusion: str, matches: bool) -> None:  # noqa: FBT001
    pod: JsonObject = {"metadata": {"annotations": {"x.io/a": "1"}}, "spec": PRESENT}
    assert any_matches([exclusion], pod) is matches
