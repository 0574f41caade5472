"""Which feature gate guards a field, and was it on in a given minor?

Loaded from `data/gates.yaml`, which says where its facts come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypedDict

import yaml

from webhook_fuzz.corpora.versions import Minor, parse_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """From this minor on, a gate is alpha, beta or GA, and on or off by default."""

    since: Minor
    name: str
    default: bool

    def __str__(self) -> str:
        if self.name == "GA":
            return f"GA {self.since}"
        return f"{self.name} {self.since} ({'on' if self.default else 'off'} by default)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A feature gate: its stages, oldest first, and the members it guards."""

    name: str
    stages: tuple[Stage, ...]
    fields: frozenset[str]

    def stage(self, minor: Minor) -> Stage | None:
        """The stage the gate is in at `minor`; None before it existed."""
        reached = [stage for stage in self.stages if stage.since <= minor]
        return reached[-1] if reached else None

    def enabled_by_default(self, minor: Minor) -> bool:
        """Whether an API server of `minor` has the gate on unless told otherwise."""
        stage = self.stage(minor)
        return stage is not None and stage.default


class _GateEntry(TypedDict):
    stages: list[tuple[str, str, bool]]
    fields: list[str]


@cache
def load_gates() -> Mapping[str, Gate]:
    """All gates by name."""
    text = resources.files(str(__package__)).joinpath("data", "gates.yaml").read_text("utf-8")
    entries: dict[str, _GateEntry] = yaml.safe_load(text)["gates"]
    return {name: _read_gate(name, entry) for name, entry in entries.items()}


def gate_of_member(path: str, owner: str) -> str | None:
    """The gate that guards the field at `path`, member `owner` (`Struct.field`), itself."""
    guards = _guards()
    return guards.get(path) or guards.get(owner)


@cache
def _guards() -> Mapping[str, str]:
    return {member: gate.name for gate in load_gates().values() for member in gate.fields}


def _read_gate(name: str, entry: _GateEntry) -> Gate:
    stages = tuple(
        Stage(since=parse_minor(since), name=stage, default=default)
        for since, stage, default in entry["stages"]
    )
    return Gate(name=name, stages=stages, fields=frozenset(entry["fields"]))
