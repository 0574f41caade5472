"""Each specimen has the fault it claims to have, and no other."""

import base64
from collections.abc import Mapping
from copy import deepcopy
from typing import cast

import orjson
import pytest

from full_pods import full_pod, paths
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS, get_specimen
from webhook_fuzz.fuzzer.specimens.injections import edited, elements
from webhook_fuzz.fuzzer.specimens.programs import Answer, Specimen
from webhook_fuzz.fuzzer.specimens.replies import MARK

UID = "11111111-2222-3333-4444-555555555555"


def container(name: str, **more: JsonValue) -> JsonObject:
    return {"name": name, "image": f"{name}:1", "resources": {}, **more}


def pod(**spec: JsonValue) -> JsonObject:
    """Two containers and two native sidecars, every container with values of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "d", "annotations": {"team.example/owner": "a"}},
        "spec": {
            "initContainers": [
                container("sidecar", restartPolicy="Always"),
                container("init", lifecycle={"stopSignal": "SIGUSR1"}),
            ],
            "containers": [
                container(
                    "app",
                    env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    lifecycle={"stopSignal": "SIGINT"},
                    futureField="app",
                ),
                container("helper", lifecycle={"stopSignal": "SIGHUP"}),
            ],
            "volumes": [{"name": "v", "image": {"reference": "r"}}],
            "hostnameOverride": "h",
            **spec,
        },
    }


def review_of(the_pod: JsonObject, *, dry_run: bool = False) -> JsonObject:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": UID, "operation": "CREATE", "object": the_pod, "dryRun": dry_run},
    }


def response_of(answer: Answer) -> JsonObject:
    assert answer.status == 200
    response = orjson.loads(answer.body)["response"]
    assert isinstance(response, dict)
    return cast("JsonObject", response)


def patch_of(answer: Answer) -> list[JsonObject]:
    response = response_of(answer)
    assert response["uid"] == UID
    assert response["allowed"] is True
    if "patch" not in response:
        return []
    assert response["patchType"] == "JSONPatch"
    return cast("list[JsonObject]", orjson.loads(base64.b64decode(str(response["patch"]))))


def patched(name: str, the_pod: JsonObject) -> JsonObject:
    before = deepcopy(the_pod)
    result = apply_patch(the_pod, patch_of(get_specimen(name).answer(review_of(the_pod))))
    assert the_pod == before, "a program changed the review it was given"
    assert isinstance(result, dict)
    return result


def named(the_pod: JsonObject, lists: str) -> dict[str, JsonObject]:
    return {str(element.get("name")): element for element in elements(the_pod, lists)}


def names(the_pod: JsonObject, lists: str) -> list[str]:
    return [str(element.get("name")) for element in elements(the_pod, lists)]


def specimens(*, among: str = "") -> list[Specimen]:
    return [specimen for name, specimen in SPECIMENS.items() if among in name]


def test_every_specimen_is_described_and_listed_under_its_name() -> None:
    for name, specimen in SPECIMENS.items():
        assert specimen.name == name
        assert specimen.description.endswith(".")
        assert not specimen.expected_codes & specimen.possible_codes
        assert bool(specimen.expected_codes) is ("perfect" not in name)


def test_an_unknown_specimen_is_refused_with_the_known_names() -> None:
    with pytest.raises(InputError) as caught:
        get_specimen("perfekt")
    assert "perfect" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    sorted(
        set(SPECIMENS)
        - {"not-idempotent", "rejects-own-output", "needless-patch", "no-patch-type", "wrong-uid"}
        - {"slow", "http-500", "answers-html", "invalid-patch", "unescaped-pointer"}
        - {"denies-new-field"}
    ),
)
def test_specimens_leave_their_own_output_alone(name: str) -> None:
    once = patched(name, pod())
    assert patch_of(SPECIMENS[name].answer(review_of(once))) == []


@pytest.mark.parametrize(
    "review", [{}, {"request": None}, {"request": {"uid": UID, "object": None}}]
)
@pytest.mark.parametrize("specimen", SPECIMENS.values(), ids=SPECIMENS)
def test_specimens_survive_reviews_without_a_pod(specimen: Specimen, review: JsonObject) -> None:
    assert isinstance(specimen.answer(review), Answer)


class TestLosses:
    @pytest.mark.parametrize(
        "name", [specimen.name for specimen in SPECIMENS.values() if specimen.loses_since]
    )
    def test_are_exactly_the_fields_newer_than_the_types(self, name: str) -> None:
        specimen, catalogue = SPECIMENS[name], load_catalogue()
        full = full_pod_with(specimen.trigger_annotations)
        lost = paths(full) - paths(patched(name, full))
        planted = {
            field.path
            for field in catalogue.in_minor(catalogue.newest)
            if specimen.loses(field.path, field.since)
        }
        assert lost & {field.path for field in catalogue.fields} == planted
        assert planted

    def test_of_the_older_types_include_the_native_sidecar(self) -> None:
        for name in ("typed-round-trip-1.27", "list-replacement", "remove-and-re-add"):
            assert "restartPolicy" not in named(patched(name, pod()), "initContainers")["sidecar"]
        newer = patched("typed-round-trip-1.33", pod())
        assert named(newer, "initContainers")["sidecar"]["restartPolicy"] == "Always"

    def test_include_fields_no_api_has(self) -> None:
        for name in ("typed-round-trip-1.33", "list-replacement", "remove-and-re-add"):
            assert "futureField" not in named(patched(name, pod()), "containers")["app"]

    def test_by_lists_leave_the_rest_of_the_pod_alone(self) -> None:
        spec = patched("list-replacement", pod())["spec"]
        assert isinstance(spec, dict)
        assert spec["hostnameOverride"] == "h"
        assert spec["volumes"] == [{"name": "v", "image": {"reference": "r"}}]

    def test_scope_and_age_decide_what_counts_as_lost(self) -> None:
        specimen = get_specimen("list-replacement")
        assert specimen.loses("spec.containers[].restartPolicy", Minor(1, 28))
        assert not specimen.loses("spec.containers[].name", Minor(1, 19))
        assert not specimen.loses("spec.hostnameOverride", Minor(1, 34))
        assert not get_specimen("perfect").loses("spec.hostnameOverride", Minor(1, 34))


class TestMigration:
    def test_moves_unknown_values_to_the_next_container(self) -> None:
        result = patched("prepend-with-migration", pod())
        assert names(result, "containers") == ["specimen-agent", "app", "helper"]
        found = {
            name: element.get("lifecycle") for name, element in named(result, "containers").items()
        }
        assert found == {
            "specimen-agent": None,
            "app": {"stopSignal": "SIGHUP"},
            "helper": {},
        }
        agent = named(result, "containers")["specimen-agent"]
        assert agent["futureField"] == "app"

    def test_moves_known_fields_correctly(self) -> None:
        init = named(patched("prepend-with-migration", pod()), "initContainers")
        assert [name for name, it in init.items() if it.get("restartPolicy")] == ["sidecar"]

    def test_has_no_remove_operation_of_an_unknown_field(self) -> None:
        patch = patch_of(get_specimen("prepend-with-migration").answer(review_of(pod())))
        removed = [op["path"] for op in patch if op["op"] == "remove"]
        assert not [path for path in removed if "stopSignal" in str(path)]


class TestFaultless:
    @pytest.mark.parametrize("name", ["perfect-raw", "perfect-index-diff"])
    def test_edits_of_raw_json_give_exactly_the_edited_pod(self, name: str) -> None:
        assert patched(name, pod()) == edited(pod(), first=True)

    @pytest.mark.parametrize("specimen", specimens(among="perfect"), ids=lambda it: it.name)
    def test_keep_everything_and_add_their_own(self, specimen: Specimen) -> None:
        before = pod()
        result = patched(specimen.name, before)
        for lists in ("initContainers", "containers", "volumes"):
            kept = [it for it in elements(result, lists) if not str(it["name"]).startswith("spec")]
            assert kept == elements(before, lists)
        assert "specimen-init" in names(result, "initContainers")

    @pytest.mark.parametrize("specimen", specimens(among="perfect"), ids=lambda it: it.name)
    def test_work_on_the_smallest_pod(self, specimen: Specimen) -> None:
        smallest: JsonObject = {"metadata": {}, "spec": {"containers": [container("c")]}}
        result = patched(specimen.name, smallest)
        assert names(result, "initContainers") == ["specimen-init"]

    def test_prepending_puts_the_injected_ones_first(self) -> None:
        for name in ("perfect-prepend", "perfect-raw", "perfect-index-diff"):
            assert names(patched(name, pod()), "initContainers")[0] == "specimen-init"

    def test_index_diff_looks_destructive(self) -> None:
        patch = patch_of(get_specimen("perfect-index-diff").answer(review_of(pod())))
        removed = [op["path"] for op in patch if op["op"] == "remove"]
        assert "/spec/initContainers/0/restartPolicy" in removed


class TestProtocol:
    def test_faults_are_what_they_say(self) -> None:
        answers = {name: it.answer(review_of(pod())) for name, it in SPECIMENS.items()}
        assert answers["slow"].delay_seconds > 34
        assert answers["http-500"].status == 500
        assert answers["answers-html"].body.startswith(b"<html>")
        assert response_of(answers["wrong-uid"])["uid"] != UID
        assert "patchType" not in response_of(answers["no-patch-type"])
        assert "patch" in response_of(answers["no-patch-type"])
        assert answers["oversized-answer"].padding_bytes > 32 * 1024 * 1024

    @pytest.mark.parametrize("name", ["invalid-patch", "unescaped-pointer"])
    def test_patches_that_do_not_apply(self, name: str) -> None:
        with pytest.raises(PatchError):
            patched(name, pod())

    def test_a_misescaped_key_appears_under_another_name(self) -> None:
        metadata = patched("misescaped-pointer", pod())["metadata"]
        assert isinstance(metadata, dict)
        annotations = metadata["annotations"]
        assert isinstance(annotations, dict)
        assert "specimen.example~1escaped" in annotations

    def test_an_integer_becomes_a_text(self) -> None:
        spec = patched("undecodable-result", pod())["spec"]
        assert isinstance(spec, dict)
        assert spec["terminationGracePeriodSeconds"] == "30"

    def test_new_fields_make_the_difference(self) -> None:
        plain: JsonObject = {"spec": {"containers": [container("c")]}}
        rules: JsonObject = {"spec": {"containers": [container("c", restartPolicyRules=[])]}}
        denies, crashes = get_specimen("denies-new-field"), get_specimen("crashes-on-new-field")
        assert patch_of(denies.answer(review_of(plain)))
        assert response_of(denies.answer(review_of(pod())))["allowed"] is False
        assert patch_of(crashes.answer(review_of(plain)))
        assert crashes.answer(review_of(rules)).status == 500


class TestShape:
    def test_an_environment_variable_is_removed(self) -> None:
        app = named(patched("removes-element", pod()), "containers")["app"]
        assert app["env"] == [{"name": "B", "value": "2"}]

    def test_annotations_are_replaced(self) -> None:
        metadata = patched("loses-annotations", pod())["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["annotations"] == {"specimen.example/injected-by": "webhook-fuzz"}

    def test_images_are_overwritten(self) -> None:
        app = named(patched("overwrites-value", pod()), "containers")["app"]
        assert app["image"] == "mirror.example/app:1"

    @pytest.mark.parametrize(
        ("name", "changed"),
        [
            ("replaces-spec", {"nodeSelector": {"specimen.example/pool": "a"}}),
            ("recreates-element", {}),
            ("adds-unknown-field", {"sidecarPolicy": "Always"}),
        ],
    )
    def test_nothing_is_lost_where_only_the_patch_is_wrong(
        self, name: str, changed: JsonObject
    ) -> None:
        before, after = pod()["spec"], patched(name, pod())["spec"]
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        for member, value in {**before, **changed}.items():
            if member not in {"initContainers", "volumes"}:
                assert after[member] == value

    def test_order_is_changed_and_nothing_else(self) -> None:
        assert names(patched("reorders", pod()), "initContainers") == ["init", "sidecar"]

    def test_a_ghost_has_no_name(self) -> None:
        assert "name" not in elements(patched("ghost-element", pod()), "containers")[-1]

    def test_a_needless_patch_changes_nothing(self) -> None:
        assert patch_of(get_specimen("needless-patch").answer(review_of(pod())))
        assert patched("needless-patch", pod()) == pod()


class TestTriggered:
    def test_nothing_happens_without_the_trigger(self) -> None:
        specimen = get_specimen("needs-trigger")
        assert patch_of(specimen.answer(review_of(pod()))) == []
        triggered = full_pod_with(specimen.trigger_annotations)
        assert MARK.replace("/", "~1") in str(patch_of(specimen.answer(review_of(triggered))))


def full_pod_with(annotations: Mapping[str, str]) -> JsonObject:
    full = full_pod(load_catalogue().newest)
    metadata = full["metadata"]
    assert isinstance(metadata, dict)
    metadata["annotations"] = {"key": "1", **annotations}
    return full
