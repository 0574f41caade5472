"""What of a pod did not come out of the whole chain?

In a dry run only both ends are seen: what the user sent and what the API server would store. Both
are compared by keyed path, after defaults; what the API server and its in-tree plugins set
themselves is nobody's loss, and neither is a value that somebody replaced on purpose. Who took what
is missing is another question (`attributions.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.generating import FIRST_MINOR
from webhook_fuzz.corpora.fields.lifecycles import Mutability, mutability
from webhook_fuzz.corpora.fields.unions import is_union_member
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import ABSENT, Absent, escape_key, parse_path, value_at, without
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.tolerations import covers
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind, compare_pods
from webhook_fuzz.fuzzer.differences.migrations import find_migrations

# Set, or taken out and set anew, by the API server's own plugins: Priority, ServiceAccount,
# AlwaysPullImages (plugin/pkg/admission in k8s.io/kubernetes).
_SET_IN_TREE = frozenset({"spec.priority", "spec.preemptionPolicy", "spec.serviceAccount"})
_SET_IN_TREE_MEMBERS = frozenset({"imagePullPolicy"})

_GONE = frozenset({ChangeKind.LOST, ChangeKind.ENTRY_LOST, ChangeKind.ELEMENT_LOST})
_LEFT = frozenset({ChangeKind.LOST, ChangeKind.ENTRY_LOST, ChangeKind.CHANGED})


class Fate(StrEnum):
    """What became of a value. DEFAULTED: it is gone, and the API's default took its place."""

    LOST = "lost"
    MOVED = "moved"
    DEFAULTED = "defaulted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A value that went in and did not come out where it was.

    `path` is keyed, `field` its catalogue path; `since` is the minor that brought the field, None
    for a field of no release. `moved_to` is the keyed path a moved value is at.
    """

    fate: Fate
    path: str
    field: str
    before: JsonValue | Absent
    after: JsonValue | Absent = ABSENT
    moved_to: str | None = None
    since: Minor | None = None


def find_losses(sent: JsonObject, returned: JsonObject, catalogue: Catalogue) -> tuple[Loss, ...]:
    """Everything of `sent` that is not in `returned`, in the order of the pod that was sent."""
    schema = catalogue.schema(catalogue.newest)
    defaulted = default_pod(sent)
    view = _View(
        sent=defaulted,
        returned=returned,
        catalogue=catalogue,
        moved={
            migration.source_path: migration.target_path
            for migration in find_migrations(defaulted, returned, schema)
        },
    )
    return tuple(
        loss for change in compare_pods(defaulted, returned, schema) for loss in view.judge(change)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """Both ends of the chain; `moved` maps where values were to where they are."""

    sent: JsonObject
    returned: JsonObject
    catalogue: Catalogue
    moved: dict[str, str]

    def judge(self, change: Change) -> Iterator[Loss]:
        """The losses one difference stands for."""
        if mutability(change.field) is Mutability.SYSTEM or change.field in _SET_IN_TREE:
            return
        target = next(
            (self.moved[path] for path in self.moved if _is_at_or_below(path, change.path)), None
        )
        if target is not None and change.kind in _LEFT:
            yield self._loss(change, Fate.MOVED, moved_to=target)
        elif change.kind is ChangeKind.CHANGED and self._is_default(change):
            yield self._loss(change, Fate.DEFAULTED)
        elif change.kind is ChangeKind.LOST and self._is_old_map(change):
            for entry in _entries(change):
                yield self._loss(entry, Fate.LOST)
        elif change.kind in _GONE and not (self._is_exchanged(change) or self._is_covered(change)):
            yield self._loss(change, Fate.LOST)

    def _loss(self, change: Change, fate: Fate, *, moved_to: str | None = None) -> Loss:
        field = self.catalogue.get(change.field)
        return Loss(
            fate=fate,
            path=change.path,
            field=change.field,
            before=change.before,
            after=change.after,
            moved_to=moved_to,
            since=field.since if field else None,
        )

    def _is_old_map(self, change: Change) -> bool:
        """Whether a whole map is gone that has always been there: its entries are what is lost."""
        field = self.catalogue.get(change.field)
        return (
            isinstance(change.before, dict)
            and field is not None
            and field.type.startswith("map[")
            and field.since <= FIRST_MINOR
        )

    def _is_exchanged(self, change: Change) -> bool:
        """Whether a member of a one-of gave way to another one, not to what the API defaults."""
        parent, _, name = change.path.rpartition(".")
        if not is_union_member(change.struct, name):
            return False
        holder = value_at(self.returned, parent)
        return isinstance(holder, dict) and any(
            is_union_member(change.struct, member)
            and value not in (None, {}, "")  # a volume that lost its source has `emptyDir: {}`
            for member, value in holder.items()
        )

    def _is_covered(self, change: Change) -> bool:
        """Whether a toleration is gone that another one makes needless."""
        spec = self.returned.get("spec")
        left = spec.get("tolerations") if isinstance(spec, dict) else None
        gone = change.before
        return (
            change.field == "spec.tolerations[]"
            and isinstance(gone, dict)
            and isinstance(left, list)
            and any(covers(other, gone) for other in left if isinstance(other, dict))
        )

    def _is_default(self, change: Change) -> bool:
        """Whether what is there now is what the API fills in where the user says nothing."""
        steps = parse_path(change.path)
        if steps[-1].name in _SET_IN_TREE_MEMBERS or steps[-1].kind != "member":
            return False
        if any(step.kind == "element" and step.name.isdecimal() for step in steps):
            return False
        left_out = default_pod(without(self.sent, change.path))
        return value_at(left_out, change.path) == change.after


def _entries(change: Change) -> Iterator[Change]:
    members = change.before if isinstance(change.before, dict) else {}
    for key, value in members.items():
        path = change.path + "{" + escape_key(key, "}") + "}"
        yield replace(change, path=path, field=change.field + "{}", before=value)


def _is_at_or_below(path: str, above: str) -> bool:
    return path == above or (path.startswith(above) and path[len(above)] in ".[{")
