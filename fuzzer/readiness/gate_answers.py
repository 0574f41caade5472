"""Is a feature gate on in one component, and how is that known?

The metric says so where it can be read. A line that is missing is ambiguous: the component may be
older than the gate, or so new that the gate has graduated and gone (on 1.37 a search for
SidecarContainers finds nothing, and the feature works), or not to be asked at all. Then version
and gate table decide what can be decided; without metrics a custom gate is invisible, and the
answer says so.
"""

from dataclasses import dataclass
from enum import StrEnum

from webhook_fuzz.corpora.cluster_api.failures import Seen, Trouble, Unseen
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.gates import Gate, Stage
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.readiness.gate_traits import came_with, ga_stage, locked_since

# component-base exports kubernetes_feature_enabled since then.
_METRIC_SINCE = Minor(1, 26)


class State(StrEnum):
    """Whether a gate is on."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Source(StrEnum):
    """How that is known, the surest first.

    VERSION: it cannot be otherwise at this version. DEFAULT: it is so unless somebody set the gate.
    """

    METRIC = "metric"
    DECLARED = "declared-features"
    VERSION = "version"
    DEFAULT = "default"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """On, off or unknown; `how` is the sentence on how that is known, the same for like cases."""

    state: State
    source: Source
    how: str
    locked: bool = False

    @property
    def certain(self) -> bool:
        """Whether nothing that was not seen could make it wrong."""
        return self.source not in {Source.DEFAULT, Source.NOTHING}

    @property
    def label(self) -> str:
        """`on`, `on (locked)`, `off by default`, `unknown`, ..."""
        if self.source is Source.DEFAULT:
            return f"{self.state} by default"
        return "on (locked)" if self.locked and self.state is State.ON else str(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """What is known of an API server or a kubelet. `minor` is None for a version nobody can read.

    `metric` is None when it was not asked for.
    """

    minor: Minor | None
    metric: Seen[GateMetric] | None = None
    declared: frozenset[str] = frozenset()


def read_version(text: str) -> Minor | None:
    """The minor of `v1.29.6-gke.100`; None for what is no version."""
    try:
        return parse_minor(text)
    except InputError:
        return None


def answer_gate(gate: Gate, component: Component) -> GateAnswer:
    """Whether the gate is on in a component."""
    metric, minor = component.metric, component.minor
    if isinstance(metric, GateMetric) and metric.enabled is not None:
        return _by_metric(gate, metric, minor)
    if gate.name in component.declared:
        how = "status.declaredFeatures of the node lists it"
        return GateAnswer(state=State.ON, source=Source.DECLARED, how=how)
    if minor is None:
        how = "neither the version nor the metric can be read"
        return GateAnswer(state=State.UNKNOWN, source=Source.NOTHING, how=how)
    return _by_version(gate, minor, metric)


def _by_metric(gate: Gate, metric: GateMetric, minor: Minor | None) -> GateAnswer:
    state = State.ON if metric.enabled else State.OFF
    stage = metric.stage or "GA"
    return GateAnswer(
        state=state,
        source=Source.METRIC,
        how=f"metric kubernetes_feature_enabled is {int(bool(metric.enabled))}, stage {stage}",
        locked=_is_locked(gate, minor) and state is State.ON,
    )


def _by_version(gate: Gate, minor: Minor, metric: Seen[GateMetric] | None) -> GateAnswer:
    if minor < came_with(gate):
        how = f"{minor} does not have it: it came with {came_with(gate)}"
        return GateAnswer(state=State.OFF, source=Source.VERSION, how=how)
    gone = isinstance(metric, GateMetric) and metric.exported
    ga = ga_stage(gate)
    if ga is not None and ga.since <= minor and (gone or _is_locked(gate, minor)):
        why = "the gate is gone from the metrics" if gone else _why_not_seen(metric, minor)
        how = f"version and gate table: GA since {ga.since}; {why}"
        return GateAnswer(state=State.ON, source=Source.VERSION, how=how, locked=True)
    stage = gate.stage(minor)
    if gone or stage is None:
        how = f"its metrics have no line for the gate, which {minor} should have"
        return GateAnswer(state=State.UNKNOWN, source=Source.NOTHING, how=how)
    return _by_default(stage, minor, metric)


def _by_default(stage: Stage, minor: Minor, metric: Seen[GateMetric] | None) -> GateAnswer:
    default = "on" if stage.default else "off"
    how = (
        f"version and gate table: {stage.name} since {stage.since}, {default} by default; "
        f"{_why_not_seen(metric, minor)}, and without it a custom gate is invisible"
    )
    newest = load_catalogue().newest
    if minor > newest:
        how = f"{minor} is newer than the gate table ({newest}); {_why_not_seen(metric, minor)}"
        return GateAnswer(state=State.UNKNOWN, source=Source.NOTHING, how=how)
    state = State.ON if stage.default else State.OFF
    return GateAnswer(state=state, source=Source.DEFAULT, how=how)


def _is_locked(gate: Gate, minor: Minor | None) -> bool:
    since = locked_since(gate)
    return minor is not None and since is not None and since <= minor


def _why_not_seen(metric: Seen[GateMetric] | None, minor: Minor) -> str:
    """Without the component's name, so that like components have the same words."""
    if isinstance(metric, Unseen):
        return f"the metric {_REASONS[metric.trouble]}"
    if metric is None:
        return "the metric was not asked for"
    if minor < _METRIC_SINCE:
        return f"{minor} has no such metric"
    return "the metric is not exported"


_REASONS = {
    Trouble.UNREACHABLE: "could not be read (no answer)",
    Trouble.UNAUTHORIZED: "could not be read (not logged in)",
    Trouble.FORBIDDEN: "could not be read (forbidden)",
    Trouble.NOT_FOUND: "could not be read (not found)",
    Trouble.REFUSED: "could not be read (refused)",
    Trouble.THROTTLED: "could not be read (too many requests)",
    Trouble.BROKEN: "could not be read (no connection to it, or an error)",
}
