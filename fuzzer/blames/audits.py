"""What does the audit log say about who did what to a pod, without calling anybody?

From level Request on, the event of a pod's creation holds the pod as it was sent (with defaults)
and the patch of every webhook; from RequestResponse on also the pod that was stored. That is the
real chain on the day, and the best evidence there is. At level Metadata only the names of the
webhooks that changed something are known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.audit_events import AuditEvent
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import json_patch_version
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch
from webhook_fuzz.fuzzer.blames.actors import (
    DEFAULT,
    USER,
    Actor,
    ActorKind,
    Recognise,
    Stage,
    Touch,
)
from webhook_fuzz.fuzzer.blames.histories import (
    plugin_by_elimination,
    recognise_gate,
    recognise_server,
)
from webhook_fuzz.fuzzer.blames.origins import without_defaults
from webhook_fuzz.fuzzer.blames.plugins import limits_recogniser, preview, recognise_plugin
from webhook_fuzz.fuzzer.chains.audit_trails import (
    AuditedCall,
    AuditTrail,
    read_audit_trail,
    replay,
)

_REPLAYED = "Its patch is in the audit log."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedHistory:
    """The stages an event shows. `notes` say what of it is not certain, `complete` whether all is.

    Without `stages` the event has no pod: its level is Metadata.
    """

    calls: tuple[AuditedCall, ...]
    stages: tuple[Stage, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    complete: bool = True


def history_of_event(
    event: AuditEvent, catalogue: Catalogue, *, api_server: Minor
) -> AuditedHistory:
    """The history of the pod whose creation an audit event is about."""
    trail = read_audit_trail(event.raw)
    if trail.start is None:
        note = (
            f"The audit level of the event is {event.level}: it has no pod and no patches, only "
            "who was called. Log pods at level Request or RequestResponse."
        )
        return AuditedHistory(calls=trail.calls, notes=(note,), complete=False)
    reader = _Reader(event=event, trail=trail, catalogue=catalogue, api_server=api_server)
    stages = tuple(reader.stages(trail.start))
    notes = tuple(reader.notes())
    return AuditedHistory(calls=trail.calls, stages=stages, notes=notes, complete=not notes)


@dataclass(kw_only=True)
class _Reader:
    """Reads one event; `partial` are the calls whose patches do not apply as a whole here."""

    event: AuditEvent
    trail: AuditTrail
    catalogue: Catalogue
    api_server: Minor
    partial: list[str] = field(default_factory=list[str])

    def stages(self, start: JsonObject) -> Iterator[Stage]:
        start = _in_namespace(default_pod(start), self.event.namespace)
        yield Stage(actor=replace(USER, known_by=_sender(self.event)), pod=without_defaults(start))
        yield Stage(actor=DEFAULT, pod=start)
        reply = self.event.stored
        first = preview(start, reply) if reply else start
        yield Stage(actor=plugin_by_elimination(), pod=first, recognise=recognise_plugin)
        yield from self._hops(first)
        if reply is not None:
            yield Stage(actor=self._rest(), pod=reply, recognise=self._recogniser(reply))

    def _hops(self, first: JsonObject) -> Iterator[Stage]:
        schema = self.catalogue.schema(self.catalogue.newest)
        version = json_patch_version(self.api_server)
        for step in replay(self.trail, first, schema=schema, api_server=self.api_server):
            call = step.call
            try:
                apply_patch(step.before, call.patch or (), json_patch=version)
            except PatchError:
                self.partial.append(call.identity)
            yield Stage(actor=_webhook(call), pod=step.after)

    def _recogniser(self, reply: JsonObject) -> Recognise:
        limits = limits_recogniser(reply)

        def recognise(touch: Touch) -> Actor | None:
            found = recognise_server(touch) or recognise_plugin(touch) or limits(touch)
            if found is None and self._all_replayed:
                return recognise_gate(touch, self.catalogue)
            return found

        return recognise

    def _rest(self) -> Actor:
        """Who did what no patch in the log did."""
        if self._all_replayed:
            return replace(
                plugin_by_elimination(),
                known_by="No patch in the audit log did it: it was an in-tree plugin, or a "
                "MutatingAdmissionPolicy.",
            )
        return Actor(
            kind=ActorKind.UNKNOWN,
            known_by="Not every patch is in the audit log, or can be replayed.",
        )

    @property
    def _all_replayed(self) -> bool:
        return not self.partial and self.trail.has_patches

    def notes(self) -> Iterator[str]:
        """What keeps the history from being certain."""
        if self.event.stored is None:
            yield (
                f"The audit level of the event is {self.event.level}: what in-tree plugins added "
                "is not in the log. RequestResponse would show it."
            )
        for name in dict.fromkeys(self.partial):
            yield (
                f"A part of the patch of {name} does not apply to what the log shows: it concerns "
                "what in-tree plugins had added, and is left out."
            )
        for call in self.trail.calls:
            if call.mutated and call.patch is None:
                yield f"{call.identity} changed the pod, but its patch is not in the log."


def _webhook(call: AuditedCall) -> Actor:
    return Actor(
        kind=ActorKind.WEBHOOK,
        name=call.identity,
        position=call.index,
        round=call.round,
        known_by=_REPLAYED,
    )


def _sender(event: AuditEvent) -> str:
    return f"{event.user or 'Somebody'} sent it, says the audit log."


def _in_namespace(pod: JsonObject, namespace: str) -> JsonObject:
    metadata = pod.get("metadata")
    members: JsonObject = metadata if isinstance(metadata, dict) else {}
    return {**pod, "metadata": {**members, "namespace": namespace}}
