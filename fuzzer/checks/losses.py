"""WF101-WF108: does everything the user set come out where it was?

Judged on the resulting pod, by keyed path, never on the patch operations alone: comparing lists
index by index makes a correct prepending webhook emit `remove` operations, and lets a broken one
emit none.
"""

from collections.abc import Iterator
from dataclasses import replace

from webhook_fuzz.corpora.pods import Absent, catalogue_path, escape_key, parse_path, render_path
from webhook_fuzz.fuzzer.checks.changes import (
    belongs_to_trigger,
    is_old_map,
    loss_code,
    lost_changes,
    lost_json_keys,
    overwritten_changes,
)
from webhook_fuzz.fuzzer.checks.registry import check
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind
from webhook_fuzz.fuzzer.differences.migrations import Migration
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation


@check("WF101")
def sidecar_restart_policy_lost(observation: Observation) -> Iterator[Finding]:
    """`restartPolicy: Always` of a native sidecar is gone (KEP-753)."""
    for change in lost_changes(observation):
        if loss_code(change, observation) == "WF101":
            yield _loss(
                "WF101",
                change,
                "The native sidecar becomes a plain init container: the pod hangs in Init, or is "
                "refused if the sidecar has probes or hooks.",
            )


@check("WF102")
def new_field_lost(observation: Observation) -> Iterator[Finding]:
    """Any other field of the catalogue is gone."""
    for change in lost_changes(observation):
        if loss_code(change, observation) == "WF102":
            said = "" if isinstance(change.after, Absent) else ", the default took its place"
            yield _loss("WF102", change, f"The field was set and is gone{said}.")


@check("WF103")
def union_member_lost(observation: Observation) -> Iterator[Finding]:
    """A one-of had one member before and has none, or only a default, now."""
    for change in lost_changes(observation):
        if loss_code(change, observation) == "WF103":
            name = change.path.rpartition(".")[2]
            yield _loss(
                "WF103",
                change,
                f"{name} was the only member of a one-of: what is left is valid and means "
                "something else.",
            )


@check("WF104")
def field_migrated(observation: Observation) -> Iterator[Finding]:
    """A value left one element and is on another that did not have it."""
    for migration in observation.migrations:
        path = _topmost(migration, observation)
        yield Finding(
            code="WF104",
            path=path,
            field=catalogue_path(path),
            before=migration.value,
            moved_to=migration.target_path,
            explanation=f"The value left {migration.source} and is on {migration.target} now.",
        )


@check("WF105")
def element_removed(observation: Observation) -> Iterator[Finding]:
    """A container, volume, variable or another element of a list is gone."""
    for change in observation.changes:
        if change.kind is ChangeKind.ELEMENT_LOST:
            yield _loss("WF105", change, "The element was in the pod and is not any more.")


@check("WF106")
def map_entry_removed(observation: Observation) -> Iterator[Finding]:
    """A label, annotation or another map's entry is gone, or JSON in an annotation lost keys."""
    for change in _lost_entries(observation):
        yield _loss("WF106", change, "The key was set and is gone.")
    for change in observation.changes:
        gone = ", ".join(lost_json_keys(change))
        if gone and not belongs_to_trigger(change, observation):
            yield _loss("WF106", change, f"The annotation holds JSON and lost {gone}.")


@check("WF107")
def value_overwritten(observation: Observation) -> Iterator[Finding]:
    """A value the user set, and that is no default, was changed."""
    for change in overwritten_changes(observation):
        yield _loss("WF107", change, "The user set one value and the pod has another.")


@check("WF108")
def unknown_field_lost(observation: Observation) -> Iterator[Finding]:
    """A synthetic field that no released API has is gone: the next API's fields will be too."""
    for change in lost_changes(observation):
        if loss_code(change, observation) == "WF108":
            yield _loss(
                "WF108",
                change,
                "No release has this field; the fields of the next release will be lost like it.",
            )


def _lost_entries(observation: Observation) -> Iterator[Change]:
    """The map entries that are gone, also those of a map that is gone as a whole."""
    for change in observation.changes:
        if change.kind is ChangeKind.ENTRY_LOST and not belongs_to_trigger(change, observation):
            yield change
        elif is_old_map(change, observation) and isinstance(change.before, dict):
            for key, value in change.before.items():
                entry = replace(
                    change,
                    path=change.path + "{" + escape_key(key, "}") + "}",
                    field=change.field + "{}",
                    before=value,
                )
                if not belongs_to_trigger(entry, observation):
                    yield entry


def _topmost(migration: Migration, observation: Observation) -> str:
    """The keyed path of the newest-API field a migrated value belongs to, else of the value."""
    steps = parse_path(migration.source_path)
    for length in range(len(steps), 0, -1):
        path = render_path(steps[:length])
        field = observation.catalogue.get(catalogue_path(path))
        if field is not None and field.root:
            return path
    return migration.source_path


def _loss(code: str, change: Change, explanation: str) -> Finding:
    return Finding(
        code=code,
        path=change.path,
        field=change.field,
        before=change.before,
        after=change.after,
        explanation=explanation,
    )
