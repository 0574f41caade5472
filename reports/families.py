"""How are a hundred lost fields said in two lines?

One change of the API shows up at many paths: a handler that came with 1.29 is there twice in every
kind of container. Paths of one minor that end in the same member are one family, written once with
`*` where they differ.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from webhook_fuzz.reports.results import LostField
from webhook_fuzz.reports.texts import minor_order, short_path

_CONTAINERS = ("containers[].", "initContainers[].", "ephemeralContainers[].")
UNKNOWN_MINOR = "unknown version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Fields of one minor that end in the same member; `label` names them all."""

    label: str
    paths: tuple[str, ...]


def group_by_minor(
    paths: Iterable[str], fields: Mapping[str, LostField]
) -> dict[str, tuple[str, ...]]:
    """Paths by the minor that introduced them, oldest first; sorted within a minor."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(set(paths)):
        known = fields.get(path)
        groups[known["since"] if known else UNKNOWN_MINOR].append(path)
    return {minor: tuple(groups[minor]) for minor in sorted(groups, key=minor_order)}


def group_by_family(paths: Iterable[str]) -> tuple[Family, ...]:
    """Families of the paths: native sidecars first (the loss people notice), then by size."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(set(paths)):
        groups[path.rpartition(".")[2]].append(path)
    families = (Family(label=_label(group), paths=tuple(group)) for group in groups.values())
    return tuple(sorted(families, key=_family_order))


def _family_order(family: Family) -> tuple[bool, int, str]:
    sidecar = "spec.initContainers[].restartPolicy" in family.paths
    return not sidecar, -len(family.paths), family.label


def _label(paths: Sequence[str]) -> str:
    if len(paths) == 1 or "spec.initContainers[].restartPolicy" in paths:
        return short_path(max(paths))
    tails = sorted({_without_container(short_path(path)) for path in paths})
    split = [tail.split(".") for tail in tails]
    shortest = min(len(segments) for segments in split)
    if any(len(segments) != shortest for segments in split):
        return "*." + tails[0].rpartition(".")[2]
    return ".".join(
        column[0] if len(set(column)) == 1 else "*" for column in zip(*split, strict=True)
    )


def _without_container(path: str) -> str:
    for prefix in _CONTAINERS:
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return path


def summarise_paths(paths: Sequence[str]) -> str:
    """`lifecycle.*.sleep +12`: the first family, and how many fields there are beside it."""
    first = group_by_family(paths)[0]
    others = len(paths) - len(first.paths)
    return first.label + (f" +{others}" if others else "")
