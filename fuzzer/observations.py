"""What came of one exchange, worked out once for all checks?

The answer is read, the patch applied, the result decoded and defaulted as the API server does it;
checks are pure functions of what is here. Work that only some checks need is done on demand.
"""

from dataclasses import dataclass, field
from functools import cached_property

from webhook_fuzz.corpora.exchanges import Answered, Exchange
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.answers import Answer, AnswerReader, InvalidAnswer
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, DecodeError, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import json_patch_version
from webhook_fuzz.fuzzer.apiserver.patches import (
    Patch,
    PatchError,
    apply_patch,
)
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind, compare_pods
from webhook_fuzz.fuzzer.differences.migrations import Migration, find_migrations


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One exchange and everything the API server's rules make of it.

    `target` is the Kubernetes minor the webhook is judged for; `trigger` is what was added to the
    pod to make the webhook act. `reader` is shared by the observations of one webhook.
    """

    exchange: Exchange
    catalogue: Catalogue
    target: Minor
    trigger: Trigger = NO_TRIGGER
    reader: AnswerReader = field(default_factory=AnswerReader, repr=False, compare=False)

    @cached_property
    def sent(self) -> JsonObject:
        """The pod as it was sent: `request.object`."""
        request = self.exchange.review["request"]
        if not isinstance(request, dict) or not isinstance(request["object"], dict):
            raise TypeError("the review has no object: nothing to judge")
        return request["object"]

    @cached_property
    def schema(self) -> FieldSchema:
        """The newest fields known: what is newer than the target is judged too."""
        return self.catalogue.schema(self.catalogue.newest)

    @cached_property
    def answer(self) -> Answer | InvalidAnswer | None:
        """The answer as the API server reads it; None when the call failed."""
        outcome = self.exchange.outcome
        if not isinstance(outcome, Answered):
            return None
        request = self.exchange.review["request"]
        uid = request["uid"] if isinstance(request, dict) else ""
        version = str(self.exchange.review["apiVersion"]).rpartition("/")[2]
        return self.reader.read(
            outcome.body,
            uid=str(uid),
            version="v1beta1" if version == "v1beta1" else "v1",
            api_server=self.target,
        )

    @property
    def denied(self) -> bool:
        """Whether the webhook answered with `allowed: false`."""
        return isinstance(self.answer, Answer) and not self.answer.allowed

    @property
    def patch(self) -> Patch | None:
        """The patch of an allowing answer; None when there is none."""
        answer = self.answer
        return answer.patch if isinstance(answer, Answer) and answer.allowed else None

    @cached_property
    def operations(self) -> tuple[JsonObject, ...]:
        """The operations of the patch, empty when there is none."""
        return tuple(operation or {} for operation in self.patch.operations) if self.patch else ()

    @cached_property
    def patched(self) -> JsonObject | PatchError | None:
        """The pod after the patch, before decoding; None when there is no patch to apply.

        What a patch put in its place that is no object is decoded, and refused, as it is.
        """
        if not isinstance(self.patch, Patch):
            return None
        applied = self._applied
        return applied if isinstance(applied, dict | PatchError) else {}

    @cached_property
    def _applied(self) -> JsonValue | PatchError:
        """Whatever the patch makes of the pod."""
        if not isinstance(self.patch, Patch):
            return None
        try:
            return apply_patch(self.sent, self.patch, json_patch=json_patch_version(self.target))
        except PatchError as error:
            return error

    @cached_property
    def decoded(self) -> Decoded | DecodeError | None:
        """What decoding makes of the patched pod, and what it drops or refuses."""
        if not isinstance(self.patched, dict) or isinstance(self._applied, PatchError):
            return None
        return decode_object(self._applied, self.schema, reuse=self.sent)

    @cached_property
    def result(self) -> JsonObject | None:
        """The pod that goes on to the next webhook; None when the patch leads nowhere.

        Fields that no release has are kept in it (decoding would drop them): whether the webhook
        kept them is what the synthetic fields are sent for.
        """
        if not isinstance(self.patched, dict) or not isinstance(self.decoded, Decoded):
            return None
        return default_pod(self.patched, reuse=self.sent)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The differences between the pod sent and the result, by keyed path."""
        return () if self.result is None else compare_pods(self.sent, self.result, self.schema)

    @cached_property
    def migrations(self) -> tuple[Migration, ...]:
        """The values that are on another element now."""
        left = {ChangeKind.LOST, ChangeKind.CHANGED, ChangeKind.ENTRY_LOST}
        if self.result is None or not any(change.kind in left for change in self.changes):
            return ()
        return find_migrations(self.sent, self.result, self.schema)
