from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from chain_webhooks import FakeCaller, Reaction, chain, entry, patching, specimen
from observed import NEWEST, container, pod
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.chains.attributions import (
    Attribution,
    Evidence,
    KnownBy,
    Taker,
    attribute,
    chain_findings,
)
from webhook_fuzz.fuzzer.chains.audit_trails import AuditedCall, AuditTrail
from webhook_fuzz.fuzzer.chains.losses import Loss, find_losses
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.findings import Severity
from webhook_fuzz.fuzzer.transports import Uncalled

CATALOGUE = load_catalogue()
POD = pod(metadata={"labels": {}}, initContainers=[container("logs", restartPolicy="Always")])
WITHOUT_POLICY = pod(metadata={"labels": {}}, initContainers=[container("logs")])
# Behind a gate that is beta in 1.36 and on: ContainerRestartRules.
RULES: list[JsonValue] = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
GATED = pod(containers=[container("app", restartPolicyRules=RULES)])
UNGATED = pod(containers=[container("app")])
STRIP = patching({"op": "remove", "path": "/spec/initContainers/0/restartPolicy"})
STRIP_RULES = patching({"op": "remove", "path": "/spec/containers/0/restartPolicyRules"})
IDLE = patching()
GONE = Uncalled(reason="No way to it works.")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pod, what came back of it, and the webhooks it went through."""

    sent: JsonObject = field(default_factory=lambda: POD)
    returned: JsonObject = field(default_factory=lambda: WITHOUT_POLICY)
    entries: Sequence[JsonObject] = (entry("a"), entry("b"), entry("c"))

    @property
    def webhooks(self) -> list[Webhook]:
        return chain(*self.entries)

    @property
    def losses(self) -> tuple[Loss, ...]:
        return find_losses(self.sent, self.returned, CATALOGUE)

    def evidence(self) -> Evidence:
        return Evidence(
            webhooks=self.webhooks,
            attributes=pod_attributes(
                self.sent, namespace="shop", namespace_labels={"team": "x"}, settled=True
            ),
            api_server=NEWEST,
        )

    async def walked(self, reactions: Mapping[str, Reaction]) -> Evidence:
        """The evidence with a walk in it."""
        evidence = self.evidence()
        walk = await walk_chain(
            self.sent,
            self.webhooks,
            evidence.attributes,
            FakeCaller(dict(reactions)),
            options=WalkOptions(api_server=NEWEST),
        )
        return replace(evidence, walk=walk)

    def judge(self, evidence: Evidence) -> Attribution:
        """What is said of the one loss."""
        [attribution] = attribute(self.losses, evidence)
        return attribution


def told(found: Attribution) -> tuple[Taker, KnownBy, str | None]:
    return (found.taker, found.known_by, found.hop)


def trail(mutated: str, patches: Mapping[str, JsonObject] | None = None) -> AuditTrail:
    """The trail of a, b, c, of which `mutated` changed the pod; `patches` are their operations."""
    calls = tuple(
        AuditedCall(
            round=0,
            index=index,
            configuration="chain",
            webhook=name,
            mutated=name in mutated,
            patch=(patches[name],) if patches and name in patches else None,
        )
        for index, name in enumerate("abc")
    )
    return AuditTrail(calls=calls)


class TestDirectCalls:
    async def test_name_the_webhook_that_takes_the_field(self) -> None:
        case = Case()
        found = case.judge(await case.walked({"a": IDLE, "b": STRIP, "c": IDLE}))
        assert told(found) == (Taker.WEBHOOK, KnownBy.DIRECT_CALLS, "chain/b")

    async def test_name_it_also_where_a_perfect_one_puts_a_container_first(self) -> None:
        lossy = Case(
            returned=pod(metadata={"labels": {}}, initContainers=[container("logs")]),
        )
        evidence = await lossy.walked(
            {
                "a": patching(
                    {
                        "op": "add",
                        "path": "/spec/initContainers/0",
                        "value": {"name": "first", "image": "first:1"},
                    }
                ),
                "b": specimen("typed-round-trip-1.27"),
                "c": IDLE,
            }
        )
        assert told(lossy.judge(evidence))[2] == "chain/b"

    async def test_of_all_webhooks_that_keep_it_clear_them(self) -> None:
        case = Case()
        found = case.judge(await case.walked({"a": IDLE, "b": IDLE, "c": IDLE}))
        assert told(found) == (Taker.UNKNOWN, KnownBy.NOTHING, None)
        assert found.suspects == ()

    async def test_are_told_to_be_behind_an_unknown_hop(self) -> None:
        case = Case()
        found = case.judge(await case.walked({"a": GONE, "b": STRIP, "c": IDLE}))
        assert told(found) == (Taker.WEBHOOK, KnownBy.DIRECT_CALLS, "chain/b")
        assert "nothing is known" in found.sentence

    async def test_find_the_last_one_that_took_what_another_put_back(self) -> None:
        case = Case()
        put = patching(
            {"op": "add", "path": "/spec/initContainers/0/restartPolicy", "value": "Always"}
        )
        reactions = {"a": STRIP, "b": put, "c": STRIP}
        assert case.judge(await case.walked(reactions)).hop == "chain/c"

    async def test_find_what_is_told_apart_by_position(self) -> None:
        mine: JsonObject = {"key": "mine", "operator": "Exists", "effect": "NoSchedule"}
        other: JsonObject = {"key": "other", "operator": "Exists"}
        case = Case(sent=pod(tolerations=[mine, other]), returned=pod(tolerations=[other]))
        reactions = {
            "a": patching({"op": "add", "path": "/spec/tolerations/0", "value": {"key": "new"}}),
            "b": patching({"op": "remove", "path": "/spec/tolerations/1"}),
            "c": IDLE,
        }
        assert case.judge(await case.walked(reactions)).hop == "chain/b"

    async def test_find_the_label_that_was_dropped(self) -> None:
        case = Case(
            sent=pod(metadata={"labels": {"team.example.com/x": "1"}}),
            returned=pod(metadata={"labels": {}}),
        )
        dropping = patching({"op": "remove", "path": "/metadata/labels/team.example.com~1x"})
        assert case.judge(await case.walked({"a": dropping, "b": IDLE, "c": IDLE})).hop == "chain/a"

    async def test_find_who_let_the_default_in(self) -> None:
        case = Case(sent=pod(terminationGracePeriodSeconds=60), returned=pod())
        dropping = patching({"op": "remove", "path": "/spec/terminationGracePeriodSeconds"})
        assert case.judge(await case.walked({"a": IDLE, "b": dropping, "c": IDLE})).hop == "chain/b"


class TestTheAuditLog:
    def test_names_the_webhook_whose_patch_it_was(self) -> None:
        case = Case()
        remove: JsonObject = {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}
        evidence = replace(case.evidence(), trail=trail("c", {"c": remove}))
        found = case.judge(evidence)
        assert told(found) == (Taker.WEBHOOK, KnownBy.AUDIT, "chain/c")

    async def test_is_believed_before_direct_calls(self) -> None:
        case = Case()
        remove: JsonObject = {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}
        walked = await case.walked({"a": STRIP, "b": IDLE, "c": IDLE})
        evidence = replace(walked, trail=trail("c", {"c": remove}))
        assert told(case.judge(evidence)) == (Taker.WEBHOOK, KnownBy.AUDIT, "chain/c")

    def test_with_every_patch_clears_all_webhooks(self) -> None:
        case = Case()
        label: JsonObject = {"op": "add", "path": "/metadata/labels/x", "value": "y"}
        evidence = replace(case.evidence(), trail=trail("a", {"a": label}))
        found = case.judge(evidence)
        assert (found.taker, found.suspects) == (Taker.UNKNOWN, ())

    def test_of_metadata_only_narrows_it_down_to_those_that_changed_the_pod(self) -> None:
        case = Case()
        one = case.judge(replace(case.evidence(), trail=trail("b")))
        assert told(one) == (Taker.WEBHOOK, KnownBy.ELIMINATION, "chain/b")
        two = case.judge(replace(case.evidence(), trail=trail("bc")))
        assert told(two) == (Taker.UNKNOWN, KnownBy.NOTHING, None)
        assert two.suspects == ("chain/b", "chain/c")


class TestElimination:
    async def test_names_the_only_one_that_was_not_seen_alone(self) -> None:
        case = Case()
        found = case.judge(await case.walked({"a": IDLE, "b": IDLE, "c": GONE}))
        assert told(found) == (Taker.WEBHOOK, KnownBy.ELIMINATION, "chain/c")

    async def test_does_not_clear_who_was_idle_behind_an_unknown_hop(self) -> None:
        case = Case()
        found = case.judge(await case.walked({"a": GONE, "b": IDLE, "c": specimen("perfect")}))
        assert told(found) == (Taker.UNKNOWN, KnownBy.NOTHING, None)
        assert found.suspects == ("chain/a", "chain/b")

    async def test_settles_nothing_where_a_policy_may_have_done_it(self) -> None:
        case = Case()
        evidence = await case.walked({"a": IDLE, "b": IDLE, "c": GONE})
        found = case.judge(replace(evidence, others=("MutatingAdmissionPolicy strip",)))
        assert found.taker is Taker.UNKNOWN
        assert "MutatingAdmissionPolicy strip" in found.sentence

    def test_clears_those_the_server_does_not_call_whatever_the_pod_is(self) -> None:
        elsewhere: JsonObject = {"matchLabels": {"team": "other"}}
        by_label: JsonObject = {"matchLabels": {"never": "set"}}
        case = Case(
            entries=(
                entry("a", namespaceSelector=elsewhere),
                entry("b"),
                entry("c", objectSelector=by_label),
            )
        )
        found = case.judge(case.evidence())
        assert found.suspects == ("chain/b", "chain/c"), "b might have set the label"

    async def test_says_who_is_left_without_naming_one(self) -> None:
        case = Case()
        found = case.judge(case.evidence())
        assert told(found) == (Taker.UNKNOWN, KnownBy.NOTHING, None)
        assert found.suspects == ("chain/a", "chain/b", "chain/c")


class TestGates:
    case = Case(sent=GATED, returned=UNGATED)

    async def test_that_are_off_are_to_blame_whatever_webhooks_do(self) -> None:
        walked = await self.case.walked({"a": STRIP_RULES, "b": IDLE, "c": IDLE})
        evidence = replace(walked, gates={"ContainerRestartRules": False})
        assert told(self.case.judge(evidence)) == (Taker.GATE, KnownBy.GATE, None)

    async def test_that_are_not_known_leave_it_open(self) -> None:
        walked = await self.case.walked({"a": IDLE, "b": GONE, "c": IDLE})
        found = self.case.judge(walked)
        assert told(found) == (Taker.UNSETTLED, KnownBy.NOTHING, None)
        assert found.suspects == ("chain/b", "chain/c")

    async def test_that_are_not_known_clear_nobody_who_was_seen_doing_it(self) -> None:
        walked = await self.case.walked({"a": STRIP_RULES, "b": IDLE, "c": IDLE})
        assert told(self.case.judge(walked)) == (
            Taker.WEBHOOK,
            KnownBy.DIRECT_CALLS,
            "chain/a",
        )

    async def test_are_what_is_left_when_every_webhook_keeps_the_field(self) -> None:
        walked = await self.case.walked({"a": IDLE, "b": IDLE, "c": IDLE})
        found = self.case.judge(walked)
        assert told(found) == (Taker.GATE, KnownBy.ELIMINATION, None)

    async def test_that_are_on_leave_the_webhooks(self) -> None:
        walked = await self.case.walked({"a": GONE, "b": specimen("perfect"), "c": IDLE})
        on = replace(walked, gates={"ContainerRestartRules": True}, trail=trail("a"))
        assert told(self.case.judge(on)) == (Taker.WEBHOOK, KnownBy.ELIMINATION, "chain/a")


class TestFindings:
    async def test_name_the_hop_and_how_it_is_known(self) -> None:
        case = Case()
        evidence = await case.walked({"a": IDLE, "b": STRIP, "c": IDLE})
        [finding] = chain_findings(attribute(case.losses, evidence))
        assert (finding.code, finding.severity) == ("WF506", Severity.CRITICAL)
        assert finding.subject == "chain/b"
        assert finding.path == "spec.initContainers[name=logs].restartPolicy"
        assert finding.evidence.startswith("Called by itself, ")

    async def test_say_that_the_hop_is_unknown(self) -> None:
        case = Case()
        [finding] = chain_findings(attribute(case.losses, case.evidence()))
        assert finding.subject == "the chain of webhooks"
        assert "not known: chain/a, chain/b, chain/c." in finding.explanation

    async def test_are_warnings_where_it_may_have_been_a_gate(self) -> None:
        case = Case(sent=GATED, returned=UNGATED)
        [finding] = chain_findings(attribute(case.losses, case.evidence()))
        assert finding.severity is Severity.WARNING
        assert "a feature gate or a webhook" in finding.explanation

    async def test_are_not_made_for_gates(self) -> None:
        case = Case(sent=GATED, returned=UNGATED)
        evidence = replace(case.evidence(), gates={"ContainerRestartRules": False})
        assert chain_findings(attribute(case.losses, evidence)) == ()

    @pytest.mark.parametrize(
        ("sent", "returned", "said"),
        [
            (pod(terminationGracePeriodSeconds=60), pod(), "came out with the API's default"),
            (POD, WITHOUT_POLICY, "did not come out"),
        ],
    )
    def test_say_what_became_of_the_value(
        self, sent: JsonObject, returned: JsonObject, said: str
    ) -> None:
        case = Case(sent=sent, returned=returned)
        [finding] = chain_findings(attribute(case.losses, case.evidence()))
        assert said in finding.explanation


def test_an_older_api_server_leaves_the_sidecars_gate_open() -> None:
    case = Case()
    evidence = replace(case.evidence(), api_server=Minor(1, 30))
    assert case.judge(evidence).taker is Taker.UNSETTLED
