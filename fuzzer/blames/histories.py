"""In which stages did a pod become what it is, as far as it was seen?

From outside only both ends are seen: the pod that was sent, and the one the API server would store.
Between them stand the webhooks, which were called one by one (`chains.walking`). What no webhook
did in that walk and is there in the end came from in-tree plugins or policies; where one of the
webhooks could not be called, it cannot be told, and the actor is unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import ABSENT, catalogue_path, value_at
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.blames.actors import (
    DEFAULT,
    USER,
    Actor,
    ActorKind,
    Recognise,
    Stage,
    Touch,
)
from webhook_fuzz.fuzzer.blames.plugins import limits_recogniser, recognise_plugin
from webhook_fuzz.fuzzer.chains.hops import Hop, HopOutcome, Walk
from webhook_fuzz.fuzzer.differences.comparing import ChangeKind, compare_pods

SERVER_METADATA = frozenset(
    {"creationTimestamp", "generation", "name", "namespace", "resourceVersion", "selfLink", "uid"}
)
_UNKNOWN_FIELD = Actor(
    kind=ActorKind.SERVER,
    name="unknown field",
    known_by="The API server does not know the field: with strict validation it says so.",
)
_VARIED = Actor(
    kind=ActorKind.UNKNOWN,
    known_by="A webhook answers differently each time it is called, so it cannot be told from what "
    "the API server adds.",
)
_GONE = frozenset({ChangeKind.LOST, ChangeKind.ENTRY_LOST, ChangeKind.ELEMENT_LOST})
_SERVER = Actor(kind=ActorKind.SERVER, known_by="The API server sets it on every object.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What was seen of one pod on its way.

    `given` is what the user wrote, `made` the pod a controller makes of it (None without one) and
    `controller` whose. `sent` is without the fields the API server does not know, `seen_first` the
    pod as webhooks got it. Without `walk` no webhook was called alone; `reply` is None where the
    API server refused the pod.
    """

    given: JsonObject = field(repr=False)
    sent: JsonObject = field(repr=False)
    seen_first: JsonObject = field(repr=False)
    walk: Walk | None = field(default=None, repr=False)
    reply: JsonObject | None = field(default=None, repr=False)
    made: JsonObject | None = field(default=None, repr=False)
    controller: str = ""


def stages_of_passage(passage: Passage, catalogue: Catalogue) -> tuple[Stage, ...]:
    """The stages of a pod that was walked through the chain and created by dry run."""
    return tuple(_stages(passage, catalogue))


def _stages(passage: Passage, catalogue: Catalogue) -> Iterator[Stage]:
    yield Stage(actor=USER, pod=passage.given)
    if passage.made is not None:
        maker = Actor(
            kind=ActorKind.CONTROLLER,
            name=passage.controller,
            known_by=f"{passage.controller} adds it to the pods it makes.",
        )
        yield Stage(actor=maker, pod=passage.made)
    yield Stage(actor=_UNKNOWN_FIELD, pod=passage.sent, recognise=recognise_server)
    yield Stage(actor=DEFAULT, pod=default_pod(passage.sent))
    yield Stage(actor=plugin_by_elimination(), pod=passage.seen_first, recognise=recognise_plugin)
    walk = passage.walk
    for hop in walk.hops if walk else ():
        if hop.outcome is HopOutcome.PATCHED:
            yield Stage(actor=_webhook(hop), pod=hop.after)
    if passage.reply is not None:
        ending = _Ending(
            walk=walk,
            catalogue=catalogue,
            limits=limits_recogniser(passage.reply),
            varied=walk is not None and _has_varied(walk, passage.reply, catalogue),
        )
        yield Stage(
            actor=ending.others(), pod=passage.reply, recognise=ending.recognise, observed=True
        )


def _has_varied(walk: Walk, reply: JsonObject, catalogue: Catalogue) -> bool:
    """Whether something a webhook added in the walk is not in the reply: names drawn at random."""
    changes = compare_pods(walk.end, reply, catalogue.schema(catalogue.newest))
    return any(
        change.kind in _GONE and value_at(walk.start, change.path) is ABSENT for change in changes
    )


def _webhook(hop: Hop) -> Actor:
    known_by = "Called alone, it answers with this change."
    if not hop.sure:
        known_by += " It stands behind a webhook that could not be called, and may have got a "
        known_by += "different pod."
    return Actor(
        kind=ActorKind.WEBHOOK,
        name=hop.webhook.identity,
        position=hop.webhook.position,
        round=hop.round,
        known_by=known_by,
    )


def recognise_server(touch: Touch) -> Actor | None:
    """What kube-apiserver itself puts into the metadata of every object.

    Source: k8s.io/apiserver pkg/registry/rest/create.go BeforeCreate, meta.go
    FillObjectMetaSystemFields.
    """
    parent, _, name = touch.path.rpartition(".")
    set_by_server = parent == "metadata" and name in SERVER_METADATA and not touch.gone
    return _SERVER if set_by_server else None


def recognise_gate(touch: Touch, catalogue: Catalogue) -> Actor | None:
    """A field that is gone although every webhook kept it, and is guarded by a gate.

    Source: k8s.io/kubernetes pkg/api/pod/util.go dropDisabledFields, after admission.
    """
    path = catalogue_path(touch.path)
    guarded = (catalogue.get(each) for each in (path, *_below(path, touch.value)))
    gates = {entry.gate for entry in guarded if entry is not None and entry.gate}
    if not touch.gone or len(gates) != 1:
        return None
    gate = gates.pop()
    return Actor(
        kind=ActorKind.SERVER,
        name=f"gate {gate}",
        known_by=f"Every webhook kept it, and the feature gate {gate} guards it: an API server on "
        "which that is off drops it after the webhooks.",
    )


def plugin_by_elimination() -> Actor:
    """Something the API server did, without a webhook, before the webhooks or after."""
    return Actor(
        kind=ActorKind.PLUGIN,
        known_by="No webhook did it when called alone: it was an in-tree plugin, or a "
        "MutatingAdmissionPolicy.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """Who did what is only seen in the API server's reply, at the end of everything."""

    walk: Walk | None
    catalogue: Catalogue
    limits: Recognise
    varied: bool

    def recognise(self, touch: Touch) -> Actor | None:
        """In-tree plugins in their second turn, and webhooks whose answers differ each time."""
        found = recognise_server(touch) or recognise_plugin(touch) or self.limits(touch)
        if found is not None or not self._all_called:
            return found
        setter = touch.setter
        if setter is not None and setter.kind is ActorKind.WEBHOOK and not touch.gone:
            return replace(
                setter, known_by="It sets the field too when called alone, to another value."
            )
        return recognise_gate(touch, self.catalogue)

    def others(self) -> Actor:
        """Who did everything else."""
        if self._all_called and self.varied:
            return _VARIED
        if self._all_called:
            return plugin_by_elimination()
        return unknown_hop(self.walk.unknown if self.walk else ())

    @property
    def _all_called(self) -> bool:
        return self.walk is not None and self.walk.complete


def unknown_hop(hops: tuple[Hop, ...]) -> Actor:
    """Somebody between the last pod that was seen and the end; never one in particular."""
    names = list(dict.fromkeys(hop.webhook.identity for hop in hops))
    candidates = f", or what could not be called: {', '.join(names)}" if names else ""
    return Actor(
        kind=ActorKind.UNKNOWN,
        known_by=f"Nobody who was seen did it: an in-tree plugin, a policy{candidates}.",
    )


def _below(path: str, value: JsonValue) -> Iterator[str]:
    """The catalogue paths of the members of an object that is gone, one level deep."""
    for name in value if isinstance(value, dict) else ():
        yield f"{path}.{name}"
