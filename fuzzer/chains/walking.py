"""What does the pod look like before and after every webhook of the chain?

From outside, a dry run shows both ends of the chain and nothing between. Here its webhooks are
called one after the other as kube-apiserver does it: matching is decided on the pod as it is by
then, each answer is read, applied, decoded and defaulted, and IfNeeded webhooks get their second
turn.

Two things the server does between the webhooks are not done: in-tree plugins run again before the
second round, and their additions to the pod (service account token, default tolerations) are there
only if the pod that is walked has them.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go Dispatch.
"""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import UNREACHED, CallFailure, Exchange
from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.answers import Answer, InvalidAnswer, ServerError
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_patched_pod, default_pod
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.apiserver.patches import PatchError
from webhook_fuzz.fuzzer.apiserver.review_versions import review_version
from webhook_fuzz.fuzzer.apiserver.reviews import DEFAULT_USER, ReviewOptions, build_review
from webhook_fuzz.fuzzer.chains.hops import CALLED, ENDING, Hop, HopOutcome, Walk
from webhook_fuzz.fuzzer.chains.reinvocations import Reinvocations
from webhook_fuzz.fuzzer.differences.comparing import compare_pods
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.transports import Caller, Uncalled


@dataclass(frozen=True, kw_only=True)
class WalkOptions:
    """Whose rules the walk follows; `api_server` decides which fields exist between the hops."""

    api_server: Minor
    catalogue: Catalogue = field(default_factory=load_catalogue)
    field_manager: str = "webhook-fuzz"
    random_seed: int = 0


async def walk_chain(
    pod: JsonObject,
    webhooks: Sequence[Webhook],
    attributes: Attributes,
    caller: Caller,
    *,
    options: WalkOptions,
) -> Walk:
    """Send a pod through `webhooks`, which are in server order; one hop for each, and round.

    `attributes` are those of the request; its object is `pod`, changed by one hop after the other.
    The pod is decoded and defaulted first, as the server does. Raises InputError for a pod that
    does not decode.
    """
    schema = options.catalogue.schema(options.api_server)
    decoded = decode_object(pod, schema)
    if isinstance(decoded, DecodeError):
        raise InputError(
            f"the pod does not decode: {decoded.message}",
            hint="The API server refuses such a pod before any webhook sees it; correct the field.",
        )
    start = default_pod(_in_namespace(decoded.value, attributes.namespace))
    walker = _Walker(
        webhooks=webhooks,
        attributes=attributes,
        caller=caller,
        options=options,
        schema=schema,
        pod=start,
    )
    hops, again = await walker.walk()
    return Walk(
        start=start,
        hops=tuple(hops),
        dropped=decoded.dropped,
        may_run_again=tuple(each for each in webhooks if each.position in again),
    )


@dataclass(kw_only=True)
class _Walker:
    """One pod on its way."""

    webhooks: Sequence[Webhook]
    attributes: Attributes
    caller: Caller
    options: WalkOptions
    schema: FieldSchema
    pod: JsonObject
    _sure: bool = True
    _reinvocations: Reinvocations = field(default_factory=Reinvocations)
    _uids: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._uids = _uids(self.options.random_seed)

    async def walk(self) -> tuple[list[Hop], frozenset[int]]:
        """The hops of both rounds, and who may have been called again (`Walk.may_run_again`)."""
        hops, again = list[Hop](), frozenset[int]()
        if await self._round(hops) and self._reinvocations.needed:
            again = self._reinvocations.undecided
            self._reinvocations.start_again()
            await self._round(hops)
        return hops, again

    async def _round(self, hops: list[Hop]) -> bool:
        """Whether the pod came through all webhooks."""
        for webhook in self.webhooks:
            hop = await self._turn(webhook)
            if hop is None:
                continue
            hops.append(hop)
            if hop.outcome in CALLED:
                self._reinvocations.note(webhook, changed=hop.changed)
            self._sure = self._sure and hop.outcome is not HopOutcome.UNKNOWN
            self.pod = hop.after
            if hop.outcome in ENDING:
                return False
        return True

    async def _turn(self, webhook: Webhook) -> Hop | None:
        """The hop, or None for a webhook that is not called again; it can still refuse the pod."""
        matching = match_webhook(webhook, replace(self.attributes, object=self.pod))
        due = self._reinvocations.is_due(webhook)
        if not due and matching.decision is not Decision.REJECTED:
            return None
        match matching.decision:
            case Decision.SKIPPED:
                return self._hop(webhook, HopOutcome.SKIPPED, matching.reason)
            case Decision.REJECTED:
                return self._hop(webhook, HopOutcome.REJECTED, matching.reason)
            case Decision.UNDECIDED:
                return self._hop(webhook, HopOutcome.UNKNOWN, matching.reason)
            case Decision.MATCHES:
                return await self._call(webhook)

    async def _call(self, webhook: Webhook) -> Hop:
        version = review_version(webhook)
        if version is None:
            return self._failed(
                webhook, "admissionReviewVersions lists neither v1 nor v1beta1.", None
            )
        attributes = self.attributes
        review = build_review(
            self.pod,
            ReviewOptions(
                api_server=self.options.api_server,
                uid=next(self._uids),
                version=version,
                namespace=attributes.namespace,
                name=attributes.name,
                operation=attributes.operation,
                dry_run=attributes.dry_run,
                user=attributes.user or DEFAULT_USER,
                field_manager=self.options.field_manager,
            ),
        )
        exchange = await self.caller.call(webhook, review)
        if isinstance(exchange, Uncalled):
            return self._hop(webhook, HopOutcome.UNKNOWN, exchange.reason)
        return self._read(webhook, exchange)

    def _read(self, webhook: Webhook, exchange: Exchange) -> Hop:
        """What the server makes of an answer, or of none."""
        outcome = exchange.outcome
        observation = Observation(
            exchange=exchange, catalogue=self.options.catalogue, target=self.options.api_server
        )
        if isinstance(outcome, CallFailure):
            if outcome.kind in UNREACHED:  # from here; the API server may be luckier
                return self._hop(
                    webhook,
                    HopOutcome.UNKNOWN,
                    f"It could not be reached from here: {outcome.detail}.",
                    observation,
                )
            return self._failed(webhook, f"The call failed: {outcome.detail}.", observation)
        answer = observation.answer
        if isinstance(answer, InvalidAnswer):
            said = f"The answer is not valid: {answer.detail}."
            internal = answer.server_error is ServerError.INTERNAL
            return self._failed(webhook, said, observation, internal=internal)
        if isinstance(answer, Answer) and not answer.allowed:
            said = f"It denied the pod: {answer.message or 'without explanation'}."
            return self._hop(webhook, HopOutcome.DENIED, said, observation)
        return self._apply(webhook, observation)

    def _apply(self, webhook: Webhook, observation: Observation) -> Hop:
        patched = observation.patched
        if patched is None:
            said = "It answered without a patch."
            return self._hop(webhook, HopOutcome.UNCHANGED, said, observation)
        if isinstance(patched, PatchError):
            said = f"Its patch does not apply: {patched.message}."
            return self._failed(webhook, said, observation, internal=True)
        decoded = decode_object(patched, self.schema, reuse=observation.sent)
        if isinstance(decoded, DecodeError):
            said = f"The patched pod does not decode: {decoded.message}."
            return self._failed(webhook, said, observation, internal=True)
        operations = len(observation.operations)
        said = f"It answered with {operations} operation{'s' if operations > 1 else ''}."
        return replace(
            self._hop(webhook, HopOutcome.PATCHED, said, observation),
            after=default_patched_pod(decoded.value, reuse=observation.sent),
            # The server compares before it defaults.
            changed=self._differs(observation.sent, decoded.value),
        )

    def _failed(
        self,
        webhook: Webhook,
        reason: str,
        observation: Observation | None,
        *,
        internal: bool = False,
    ) -> Hop:
        """A failure; failurePolicy Ignore helps against those of the call only."""
        is_open = webhook.failure_policy == "Ignore" and not internal
        outcome = HopOutcome.FAILED_OPEN if is_open else HopOutcome.FAILED
        return self._hop(webhook, outcome, reason, observation)

    def _hop(
        self,
        webhook: Webhook,
        outcome: HopOutcome,
        reason: str,
        observation: Observation | None = None,
    ) -> Hop:
        return Hop(
            webhook=webhook,
            round=self._reinvocations.round,
            outcome=outcome,
            reason=reason,
            before=self.pod,
            after=self.pod,
            sure=self._sure,
            observation=observation,
        )

    def _differs(self, before: JsonObject, after: JsonObject) -> bool:
        """Whether the server takes the patched pod for another one (Semantic.DeepEqual).

        Comparing by key does not see elements that changed places, so what is left is compared as
        it stands.
        """
        return bool(compare_pods(before, after, self.schema)) or (
            _without_zeros(before) != _without_zeros(after)
        )


def _in_namespace(pod: JsonObject, namespace: str) -> JsonObject:
    """Source: k8s.io/apiserver pkg/registry/rest/meta.go, before admission."""
    metadata = pod.get("metadata")
    members: JsonObject = metadata if isinstance(metadata, dict) else {}
    return {**pod, "metadata": {**members, "namespace": namespace}} if namespace else pod


def _without_zeros(value: JsonValue) -> JsonValue:
    """A value without the members that may be left out; what counts of those is compared by key."""
    match value:
        case dict():
            pruned = {name: _without_zeros(member) for name, member in value.items()}
            return {name: member for name, member in pruned.items() if member}
        case list():
            return [_without_zeros(element) for element in value]
        case _:
            return value


def _uids(seed: int) -> Iterator[str]:
    """They must not repeat, they need not be secret, and a walk must be repeatable."""
    generator = random.Random(seed)  # noqa: S311 - see above
    while True:
        yield str(uuid.UUID(int=generator.getrandbits(128), version=4))
