import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.chains.gate_states import GateKnowledge, Gates, GateState

SIDECAR = "spec.initContainers[].restartPolicy"  # SidecarContainers: GA 1.33


def knowledge(field: str, minor: int, **reported: bool) -> GateKnowledge:
    return gates(minor, **reported).of_field(field)


def gates(minor: int, **reported: bool) -> Gates:
    return Gates(catalogue=load_catalogue(), api_server=Minor(1, minor), reported=reported)


@pytest.mark.parametrize(
    ("minor", "state"),
    [
        (27, GateState.UNKNOWN),
        (28, GateState.UNKNOWN),
        (32, GateState.UNKNOWN),
        (33, GateState.ON),
        (37, GateState.ON),
    ],
)
def test_only_a_gate_that_is_ga_is_known_without_asking(minor: int, state: GateState) -> None:
    assert knowledge(SIDECAR, minor).state is state


@pytest.mark.parametrize(("on", "state"), [(True, GateState.ON), (False, GateState.OFF)])
def test_what_the_api_server_reports_is_believed(on: bool, state: GateState) -> None:  # noqa: FBT001 - a parameter of the test
    found = knowledge(SIDECAR, 30, SidecarContainers=on)
    assert found.state is state
    assert "reports the feature gate SidecarContainers" in found.reason


def test_most_fields_have_no_gate() -> None:
    assert knowledge("spec.containers[].image", 30).state is GateState.NONE
    assert knowledge("spec.noSuchField", 30).state is GateState.NONE


def test_what_no_new_pod_can_have_is_dropped_by_the_api_server() -> None:
    assert knowledge("spec.ephemeralContainers[].image", 30).state is GateState.OFF


def test_a_field_below_a_gated_one_is_gated_with_it() -> None:
    assert knowledge("spec.volumes[].image.reference", 31).state is GateState.UNKNOWN


FIELD = "spec.containers[].lifecycle"
SIGNAL: JsonObject = {"stopSignal": "SIGTERM"}  # ContainerStopSignals: alpha
HOOK: JsonObject = {"preStop": {"exec": {"command": ["sync"]}}}


class TestAStruct:
    def test_goes_with_its_only_member(self) -> None:
        assert gates(37).of_value(FIELD, SIGNAL).state is GateState.UNKNOWN
        off = gates(37, ContainerStopSignals=False).of_value(FIELD, SIGNAL)
        assert off.state is GateState.OFF
        assert "ContainerStopSignals" in off.reason

    def test_stays_with_a_member_that_nothing_guards(self) -> None:
        both = {**SIGNAL, **HOOK}
        found = gates(37, ContainerStopSignals=False).of_value(FIELD, both)
        assert found.state is GateState.NONE

    def test_without_members_says_nothing(self) -> None:
        assert gates(37).of_value(FIELD, {}).state is GateState.NONE

    def test_in_a_list_counts_as_every_element(self) -> None:
        rules: JsonValue = [{"action": "Restart", "exitCodes": {"values": [1]}}]
        found = gates(36).of_value("spec.containers[].restartPolicyRules", rules)
        assert found.state is GateState.UNKNOWN
        value: JsonObject = {"restartPolicyRules": rules}
        assert gates(36).of_value("spec.containers[]", value).state is GateState.UNKNOWN


class TestAnElement:
    field = "spec.volumes[]"

    def test_goes_with_all_that_is_not_its_name(self) -> None:
        volume: JsonObject = {"name": "model", "image": {"reference": "model:1"}}
        assert gates(33).of_value(self.field, volume).state is GateState.UNKNOWN
        assert gates(33, ImageVolume=False).of_value(self.field, volume).state is GateState.OFF

    def test_of_a_kind_without_a_gate_does_not_go(self) -> None:
        volume: JsonObject = {"name": "cache", "emptyDir": {"medium": "Memory"}}
        assert gates(33).of_value(self.field, volume).state is GateState.NONE
        assert gates(33).of_value(self.field, {"name": "cache"}).state is GateState.NONE
