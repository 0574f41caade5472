"""On which line of a file is a member of an object written?

kubectl's reading (`yaml_documents.py`) gives values without places. PyYAML's node graph gives
places without values; a finding needs one of the few hundred, so they are looked up, not kept.
JSON is near enough to YAML for its places to be found the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from webhook_fuzz.corpora.seeds.yaml_scalars import MERGE_KEY

Step: TypeAlias = str | int
"""A member's name or an element's index."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_MERGES = 100  # a mapping that merges itself would never end


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLines:
    """Where the members of one object are written; `root` is None where nothing is known."""

    root: Any
    first_line: int

    def find(self, path: Sequence[Step]) -> int | None:
        """The line of a member's name, or of an element; None where it is not written.

        The empty path is where the object begins.
        """
        found = _find(self.root, path)
        return None if found is None else found.start_mark.line + self.first_line

    def below(self, *path: Step) -> "MemberLines":
        """The same for an object inside."""
        node = self.root
        for step in path:
            pair = _step(node, step)
            node = pair[1] if pair else None
        return MemberLines(root=node, first_line=self.first_line)


def read_lines(text: str, *, count: int, first_line: int = 1) -> list[MemberLines]:
    """The places in each of the `count` documents of a text that has been read already.

    Nothing is known of a text that is JSON and not YAML: then the places are empty.
    """
    try:
        # SafeLoader's nodes construct nothing.
        roots: list[Any] = list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.YAMLError:
        roots = []
    if len(roots) != count:
        roots = [None] * count
    return [MemberLines(root=root, first_line=first_line) for root in roots]


def _find(root: Any, path: Sequence[Step]) -> Any:  # noqa: ANN401 - a node of PyYAML, untyped
    node = place = root
    for step in path:
        found = _step(node, step)
        if found is None:
            return None
        place, node = found
    return place


def _step(node: Any, step: Step) -> tuple[Any, Any] | None:  # noqa: ANN401 - as above
    """Where the member begins (its key, or the element itself), and its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        elements: list[Any] = node.value
        return (elements[step], elements[step]) if step < len(elements) else None
    if isinstance(node, yaml.MappingNode) and isinstance(step, str):
        return _member(node, step, _MOST_MERGES)
    return None


def _member(node: Any, name: str, merges: int) -> tuple[Any, Any] | None:  # noqa: ANN401 - as above
    pairs: list[tuple[Any, Any]] = node.value
    for key, value in reversed(pairs):  # the last one counts
        if key.value == name:
            return key, value
    for key, value in reversed(pairs):
        if key.value == MERGE_KEY and merges:
            sources: list[Any] = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                if isinstance(source, yaml.MappingNode):
                    found = _member(source, name, merges - 1)
                    if found:
                        return found
    return None
