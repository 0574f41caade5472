from collections.abc import Mapping

import pytest

from chain_webhooks import FakeCaller, Reaction, chain, entry, labelling, patching, specimen
from observed import answer, container, pod
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import value_at
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.chains.hops import Hop, HopOutcome, Walk
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.specimens.replies import denial
from webhook_fuzz.fuzzer.transports import Uncalled

SIDECAR = container("logs", restartPolicy="Always")
POD = pod(metadata={"labels": {"app": "web"}}, initContainers=[SIDECAR])
POLICY = "spec.initContainers[name=logs].restartPolicy"
NEWEST = Minor(1, 37)
ADDING = patching({"op": "add", "path": "/metadata/labels/x", "value": "yes"})
SILENT = patching()


def attributes(given: JsonObject = POD) -> Attributes:
    return pod_attributes(given, namespace="shop", namespace_labels={"team": "shop"}, settled=True)


async def walk(
    entries: list[JsonObject],
    reactions: Mapping[str, Reaction],
    *,
    given: JsonObject = POD,
    api_server: Minor = NEWEST,
) -> tuple[Walk, FakeCaller]:
    caller = FakeCaller(reactions)
    options = WalkOptions(api_server=api_server)
    walked = await walk_chain(given, chain(*entries), attributes(given), caller, options=options)
    return walked, caller


def told(walked: Walk) -> list[tuple[str, int, HopOutcome]]:
    return [(hop.webhook.name, hop.round, hop.outcome) for hop in walked.hops]


async def only_hop(reaction: Reaction, **others: JsonValue) -> Hop:
    walked, _ = await walk([entry("a", **others)], {"a": reaction})
    [hop] = walked.hops
    return hop


def labels(found: JsonObject) -> JsonValue:
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    return metadata["labels"]


async def test_each_webhook_gets_what_the_one_before_it_left() -> None:
    walked, caller = await walk(
        [entry("first"), entry("lossy"), entry("last")],
        {
            "first": labelling("seen"),
            "lossy": specimen("typed-round-trip-1.27"),
            "last": specimen("perfect"),
        },
    )
    first, lossy, last = walked.hops
    assert [hop.outcome for hop in walked.hops] == [
        HopOutcome.PATCHED,
        HopOutcome.PATCHED,
        HopOutcome.UNCHANGED,  # specimens leave alone what one of them has marked
    ]
    assert caller.called == ["first", "lossy", "last"]
    assert first.before is walked.start
    assert lossy.before is first.after
    assert labels(lossy.before) == {"app": "web", "seen": "yes"}
    assert value_at(lossy.before, POLICY) == "Always"
    assert value_at(lossy.after, POLICY) != "Always"
    assert last.after is walked.end
    assert walked.complete
    assert lossy.changed
    assert not last.changed
    assert any(operation["op"] == "remove" for operation in lossy.patch)
    assert last.patch == ()


async def test_what_a_webhook_injects_has_its_defaults_before_the_next_one() -> None:
    injected: JsonObject = {"name": "agent", "image": "agent:1"}
    walked, caller = await walk(
        [entry("a"), entry("b")],
        {
            "a": patching({"op": "add", "path": "/spec/containers/-", "value": injected}),
            "b": SILENT,
        },
    )
    request = caller.reviews[1]["request"]
    assert isinstance(request, dict)
    assert isinstance(request["object"], dict)
    path = "spec.containers[name=agent].terminationMessagePolicy"
    assert value_at(request["object"], path) == "File"
    assert value_at(walked.end, path) == "File"


async def test_the_reviews_are_those_of_the_request() -> None:
    _, caller = await walk(
        [entry("a"), entry("b", admissionReviewVersions=["v1beta1"])],
        {"a": SILENT, "b": patching()},
    )
    first, second = caller.reviews
    assert first["apiVersion"] == "admission.k8s.io/v1"
    assert second["apiVersion"] == "admission.k8s.io/v1beta1"
    one, other = first["request"], second["request"]
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    assert one["uid"] != other["uid"], "the server draws a new one for every call"
    assert (one["namespace"], one["dryRun"]) == ("shop", True)
    assert isinstance(one["object"], dict)
    metadata = one["object"]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["namespace"] == "shop"


async def test_matching_is_decided_on_the_pod_as_it_is_by_then() -> None:
    selector: JsonObject = {"matchLabels": {"x": "yes"}}
    walked, caller = await walk(
        [
            entry("before", objectSelector=selector),
            entry("adds"),
            entry("after", objectSelector=selector),
        ],
        {"adds": ADDING, "after": SILENT},
    )
    assert caller.called == ["adds", "after"]
    assert told(walked)[0] == ("before", 0, HopOutcome.SKIPPED)
    assert "objectSelector" in walked.hops[0].reason


async def test_a_webhook_asking_for_it_is_called_again_after_a_later_change() -> None:
    walked, caller = await walk(
        [entry("a", reinvocationPolicy="IfNeeded"), entry("b")], {"a": SILENT, "b": ADDING}
    )
    assert caller.called == ["a", "b", "a"]
    assert told(walked) == [
        ("a", 0, HopOutcome.UNCHANGED),
        ("b", 0, HopOutcome.PATCHED),
        ("a", 1, HopOutcome.UNCHANGED),
    ]
    assert walked.may_run_again == ()


async def test_a_patch_that_changes_nothing_makes_nobody_run_again() -> None:
    same = patching({"op": "replace", "path": "/metadata/labels/app", "value": "web"})
    walked, caller = await walk(
        [entry("a", reinvocationPolicy="IfNeeded"), entry("b")], {"a": SILENT, "b": same}
    )
    assert caller.called == ["a", "b"]
    assert walked.hops[1].outcome is HopOutcome.PATCHED
    assert not walked.hops[1].changed


async def test_a_patch_of_unknown_fields_changes_nothing() -> None:
    unknown = patching({"op": "add", "path": "/spec/noSuchField", "value": 1})
    hop = await only_hop(unknown)
    assert hop.outcome is HopOutcome.PATCHED
    assert not hop.changed
    assert "noSuchField" not in str(hop.after)


async def test_elements_that_change_places_are_a_change() -> None:
    volumes: list[JsonValue] = [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]
    given = pod(metadata={"labels": {}}, volumes=volumes)
    swap = patching({"op": "replace", "path": "/spec/volumes", "value": volumes[::-1]})
    walked, _ = await walk([entry("a")], {"a": swap}, given=given)
    assert walked.hops[0].changed


async def test_who_may_run_again_because_of_a_plugin_is_told() -> None:
    walked, _ = await walk(
        [entry("a"), entry("b", reinvocationPolicy="IfNeeded")], {"a": ADDING, "b": SILENT}
    )
    assert [webhook.name for webhook in walked.may_run_again] == ["b"]


async def test_a_denial_ends_the_chain() -> None:
    walked, caller = await walk(
        [entry("a"), entry("b")], {"a": lambda review: denial(review, "not here"), "b": SILENT}
    )
    assert caller.called == ["a"]
    assert walked.refused_at is not None
    assert walked.refused_at.outcome is HopOutcome.DENIED
    assert walked.refused_at.reason == "It denied the pod: not here."
    assert not walked.complete
    assert walked.end is walked.start


CALL_FAILURES: list[Reaction] = [
    CallFailure(kind=FailureKind.STATUS, detail="HTTP status 500", status=500),
    answer(uid="another"),
]


@pytest.mark.parametrize("reaction", CALL_FAILURES)
async def test_a_failing_call_is_covered_by_failure_policy_ignore(reaction: Reaction) -> None:
    assert (await only_hop(reaction)).outcome is HopOutcome.FAILED
    ignored = await only_hop(reaction, failurePolicy="Ignore")
    assert ignored.outcome is HopOutcome.FAILED_OPEN
    assert ignored.after is ignored.before


NOT_APPLYING = patching({"op": "remove", "path": "/spec/nothing"})
NOT_DECODING = patching({"op": "replace", "path": "/spec/containers", "value": "text"})


@pytest.mark.parametrize("reaction", [NOT_APPLYING, NOT_DECODING])
async def test_a_patch_that_leads_nowhere_is_not_covered(reaction: Reaction) -> None:
    hop = await only_hop(reaction, failurePolicy="Ignore")
    assert hop.outcome is HopOutcome.FAILED
    assert hop.after is hop.before


async def test_without_a_review_version_every_call_fails() -> None:
    walked, caller = await walk([entry("a", admissionReviewVersions=["v2"])], {})
    assert caller.called == []
    assert told(walked) == [("a", 0, HopOutcome.FAILED)]


async def test_a_webhook_that_cannot_be_called_is_an_unknown_hop() -> None:
    lost = CallFailure(kind=FailureKind.REFUSED, detail="nothing listens")
    walked, _ = await walk(
        [entry("a"), entry("far"), entry("gone"), entry("z")],
        {
            "a": SILENT,
            "far": Uncalled(reason="No way to it works."),
            "gone": lost,
            "z": ADDING,
        },
    )
    assert [hop.webhook.name for hop in walked.unknown] == ["far", "gone"]
    assert walked.unknown[0].reason == "No way to it works."
    assert "nothing listens" in walked.unknown[1].reason
    assert [hop.sure for hop in walked.hops] == [True, True, False, False]
    assert not walked.complete
    assert walked.refused_at is None


async def test_a_condition_only_the_server_can_decide_makes_an_unknown_hop() -> None:
    condition: JsonObject = {
        "name": "asks",
        "expression": "authorizer.group('').resource('pods').check('create').allowed()",
    }
    walked, caller = await walk([entry("a", matchConditions=[condition])], {})
    assert caller.called == []
    assert told(walked) == [("a", 0, HopOutcome.UNKNOWN)]


async def test_a_pod_that_does_not_decode_is_the_users_error() -> None:
    with pytest.raises(InputError, match="does not decode"):
        await walk([], {}, given={**POD, "spec": {"containers": "text"}})


async def test_fields_the_api_version_does_not_have_never_reach_a_webhook() -> None:
    given = pod(containers=[container("app", restartPolicyRules=[{"action": "Restart"}])])
    walked, caller = await walk([entry("a")], {"a": SILENT}, given=given, api_server=Minor(1, 30))
    assert walked.dropped == ("spec.containers[0].restartPolicyRules",)
    assert "restartPolicyRules" not in str(caller.reviews)


async def test_an_empty_chain_ends_where_it_starts() -> None:
    walked, _ = await walk([], {})
    assert walked.end is walked.start
    assert walked.refused_at is None
    assert walked.complete
