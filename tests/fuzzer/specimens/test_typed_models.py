import pytest

from full_pods import full_pod, paths
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.specimens.typed_models import decode, round_trip

V1_27, V1_34 = Minor(1, 27), Minor(1, 34)


@pytest.mark.parametrize("minor", [Minor(1, 20), V1_27, V1_34])
def test_decoding_drops_exactly_what_the_minor_does_not_know(minor: Minor) -> None:
    catalogue = load_catalogue()
    pod = full_pod(catalogue.newest)
    lost = paths(pod) - paths(decode(pod, minor))
    expected = {
        field.path for field in catalogue.in_minor(catalogue.newest) if not field.exists_in(minor)
    }
    assert lost & {field.path for field in catalogue.fields} == expected
    assert len(expected) > 40


def test_decoding_with_the_newest_types_loses_nothing_and_copies() -> None:
    newest = load_catalogue().newest
    pod = full_pod(newest)
    decoded = decode(pod, newest)
    assert decoded == pod
    spec = decoded["spec"]
    assert isinstance(spec, dict)
    spec.clear()
    assert pod["spec"]


def test_marshalling_writes_what_has_no_omitempty() -> None:
    pod: JsonObject = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    assert round_trip(pod, V1_27) == {
        "metadata": {"name": "p", "creationTimestamp": None},
        "spec": {"containers": [{"name": "c", "resources": {}}]},
        "status": {},
    }
    assert round_trip(pod, V1_34)["metadata"] == {"name": "p"}


def test_marshalling_completes_claim_templates() -> None:
    volume: JsonObject = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
    trip = round_trip({"metadata": {}, "spec": {"containers": [], "volumes": [volume]}}, V1_27)
    assert trip["spec"] == {
        "containers": [],
        "volumes": [
            {
                "name": "v",
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "metadata": {"creationTimestamp": None},
                        "spec": {"resources": {}},
                    }
                },
            }
        ],
    }


def test_explicit_zeroes_are_left_out_unless_go_has_a_pointer_there() -> None:
    spec: JsonObject = {
        "containers": [],
        "hostNetwork": False,
        "automountServiceAccountToken": False,
        "nodeName": "",
        "tolerations": [],
        "nodeSelector": {"empty": ""},
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    assert decode({"spec": spec}, V1_27)["spec"] == {
        "containers": [],
        "automountServiceAccountToken": False,
        "nodeSelector": {"empty": ""},
        "volumes": [{"name": "v", "emptyDir": {}}],
    }


def test_an_unknown_volume_source_leaves_a_volume_with_nothing_but_a_name() -> None:
    spec: JsonObject = {"volumes": [{"name": "v", "image": {"reference": "r"}}]}
    assert decode({"spec": spec}, V1_27)["spec"] == {"volumes": [{"name": "v"}]}
