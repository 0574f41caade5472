"""Can a feature gate be what makes a field disappear?

The API server drops fields behind a gate that is off after the webhooks ran, without a word
(PrepareForCreate). Such a loss looks like a webhook's and is none. With its last member a struct
or an element may go as well: `lifecycle` with nothing but a `stopSignal` is gone as a whole, and so
is an image volume.

Source: k8s.io/kubernetes pkg/registry/core/pod/strategy.go PrepareForCreate, pkg/api/pod/util.go
dropDisabledFields.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.fields.lifecycles import why_not_creatable
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import Absent
from webhook_fuzz.corpora.versions import Minor


class GateState(StrEnum):
    """Whether the API server keeps a field. NONE: there is no gate."""

    NONE = "none"
    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKnowledge:
    """The state, and one sentence on how it is known."""

    state: GateState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The feature gates of one API server.

    `reported` are those it reports itself (kubernetes_feature_enabled); one that is not among them
    is known only once it is GA, because then it cannot be switched off.
    """

    catalogue: Catalogue
    api_server: Minor
    reported: Mapping[str, bool]

    def of_value(self, field: str, value: JsonValue | Absent) -> GateKnowledge:
        """Whether a value at a catalogue path can be gone because of a gate.

        Either one guards the field, or every single member of the value is behind one; what only
        names an element does not count.
        """
        own = self.of_field(field)
        if own.state is not GateState.NONE:
            return own
        naming = {f"{field}.{key}" for key in self._merge_keys(field)}
        leaves = [leaf for leaf in _leaves(field, value) if leaf not in naming]
        members = [self.of_field(leaf) for leaf in leaves]
        states = {member.state for member in members}
        if not members or GateState.NONE in states or GateState.ON in states:
            return own
        decisive = GateState.UNKNOWN if GateState.UNKNOWN in states else GateState.OFF
        return next(member for member in members if member.state is decisive)

    def of_field(self, field: str) -> GateKnowledge:
        """What is known of the gate of the field at a catalogue path."""
        if (refusal := why_not_creatable(field)) is not None:
            return GateKnowledge(
                state=GateState.OFF, reason=f"No new pod has the field: {refusal}."
            )
        entry = self.catalogue.get(field)
        if entry is None or entry.gate is None:
            return GateKnowledge(state=GateState.NONE, reason="No feature gate guards the field.")
        return self._of_gate(entry.gate)

    def _merge_keys(self, field: str) -> tuple[str, ...]:
        """The members that tell apart the elements of the list `field` is about, if it is one."""
        schema: FieldSchema | None = self.catalogue.schema(self.catalogue.newest)
        keys: tuple[str, ...] = ()
        for step in field.split("."):
            name = step.removesuffix("[]")
            schema = schema.members.get(name) if schema else None
            keys = schema.merge_keys if schema and name != step else ()
            schema = schema.element if schema and name != step else schema
        return keys

    def _of_gate(self, name: str) -> GateKnowledge:
        if name in self.reported:
            state = GateState.ON if self.reported[name] else GateState.OFF
            return GateKnowledge(
                state=state, reason=f"The API server reports the feature gate {name} as {state}."
            )
        stage = load_gates()[name].stage(self.api_server)
        if stage is not None and stage.name == "GA":
            return GateKnowledge(
                state=GateState.ON, reason=f"The feature gate {name} is GA since {stage.since}."
            )
        what = f"is {stage}" if stage else f"is not in Kubernetes {self.api_server}"
        return GateKnowledge(
            state=GateState.UNKNOWN,
            reason=f"The feature gate {name} {what}; how it is set here is not known.",
        )


def _leaves(field: str, value: JsonValue | Absent) -> Iterator[str]:
    """The catalogue paths of the members below a value that have no members themselves."""
    if isinstance(value, dict):
        for name, member in value.items():
            below = f"{field}.{name}"
            yield from _leaves(below, member) if _has_members(member) else (below,)
    elif isinstance(value, list):
        for element in value:
            yield from _leaves(f"{field}[]", element)


def _has_members(value: JsonValue) -> bool:
    if isinstance(value, list):
        return any(isinstance(element, dict) for element in value)
    return isinstance(value, dict) and bool(value)
