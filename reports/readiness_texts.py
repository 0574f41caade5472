"""What is printed of an examination of a cluster?

The table of components first, a line a group however many nodes are in it, then what the probe pod
showed, the findings with their remedies, and the way of adopting the feature that fits.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.findings import ClusterFinding, load_codes
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.gate_traits import acts_elsewhere
from webhook_fuzz.fuzzer.readiness.standings import NodeGroup, Room, name_nodes
from webhook_fuzz.reports.texts import counted, visible

DEFAULT_WIDTH: Final = 100
_NARROWEST: Final = 60
_HEADINGS: Final = ("COMPONENT", "VERSION", "ANSWER", "HOW IT IS KNOWN")
_GAP: Final = "  "
_MOST_TAINTS: Final = 3
_WIDEST_CELL: Final = 30
_NARROWEST_SENTENCE: Final = 20
_INDENT: Final = " " * 9
_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    "critical": "\x1b[1;31m",
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "info": "\x1b[1m",
}
_FITS: Final = {
    "switch": "switch",
    "node-pools": "labelled node pools with affinity",
    "universal-pair": "a universal pair of native and old-way sidecars",
    "wait": "wait, and keep the old way",
    "unknown": "cannot be told",
}


def render_examination(
    found: Examination, *, width: int = DEFAULT_WIDTH, colour: bool = False
) -> str:
    """The examination as text of at most `width` columns; the only escapes are ours."""
    columns = max(width, _NARROWEST)
    sections = (
        textwrap.wrap(f"{found.gate.name}: {'; '.join(map(str, found.gate.stages))}", columns),
        list(_table(found, columns)),
        list(_notes(found, columns)),
        list(_pod_lines(found, columns)),
        list(_finding_lines(found.findings, columns, colour=colour)),
        list(_strategy_lines(found, columns)),
        list(_closing_lines(found, columns)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def render_features(gates: Sequence[Gate]) -> str:
    """Every known feature: its stages, its fields, and who acts on them."""
    lines: list[str] = []
    for gate in gates:
        lines.append(gate.name)
        lines.append(f"  {', '.join(map(str, gate.stages))}")
        lines += [f"  {name}" for name in sorted(gate.fields)]
        if not gate.fields:
            lines.append("  (no field of its own: changes what is accepted)")
        if (who := acts_elsewhere(gate)) is not None:
            lines.append(f"  acted on by {who}, not by kubelets")
    return "\n".join(lines) + "\n"


def _table(found: Examination, columns: int) -> Iterator[str]:
    rows = [_HEADINGS, *_server_rows(found), *_node_rows(found)]
    cells = [tuple(visible(cell) for cell in row) for row in rows]
    most = min(_WIDEST_CELL, (columns - _NARROWEST_SENTENCE - len(_GAP) * 3) // 3)
    widths = [min(max(len(row[index]) for row in cells), most) for index in range(3)]
    left = columns - sum(widths) - len(_GAP) * len(widths)
    for row in cells:
        wrapped = [
            textwrap.wrap(cell, width, break_on_hyphens=False) or [""]
            for cell, width in zip(row, (*widths, left), strict=True)
        ]
        for index in range(max(map(len, wrapped))):
            parts = [part[index] if index < len(part) else "" for part in wrapped]
            padded = [f"{part:<{width}}" for part, width in zip(parts, widths, strict=False)]
            yield _GAP.join([*padded, parts[-1]]).rstrip()


def _server_rows(found: Examination) -> Iterator[tuple[str, ...]]:
    for server in found.servers:
        name = f"API server {server.address}".rstrip()
        emulated = (
            f" (as {server.minor})"
            if server.minor and not server.version.startswith(f"v{server.minor}.")
            else ""
        )
        answer = server.answer
        yield name, f"{server.version}{emulated}", answer.label, answer.how


def _node_rows(found: Examination) -> Iterator[tuple[str, ...]]:
    for group in found.groups or ():
        count = len(group.members)
        name = f"node {name_nodes(group.members)}" if count == 1 else counted(count, "node")
        version = str(group.minor) if group.minor else "unknown"
        yield name + _cordoned(group), version, group.answer.label, group.answer.how


def _cordoned(group: NodeGroup) -> str:
    cordoned = len(group.members) - len(group.schedulable)
    if not cordoned:
        return ""
    return " (cordoned)" if len(group.members) == 1 else f" ({cordoned} cordoned)"


def _notes(found: Examination, columns: int) -> Iterator[str]:
    """What goes with the table: replicas, room, skew, the probe pod."""
    asked = sum(1 for server in found.servers if server.address) or 1
    if found.replicas is not None and found.replicas > asked:
        text = f"{asked} of {found.replicas} API servers were asked; the others may differ."
        yield from _wrapped("Replicas", text, columns)
    if (who := acts_elsewhere(found.gate)) is not None:
        text = f"no kubelet acts on it, {who} does, whose gates are not visible through the API."
        yield from _wrapped("Nodes", text, columns)
    elif found.room is not None:
        yield from _wrapped("Room", _room(found.room), columns)
    for skew in found.skews:
        yield from _wrapped("Skew", f"{skew.subject}: {skew.sentence}", columns)
    if found.probe is not None:
        text = f"in {found.probe_namespace}: {found.probe.survival}. {found.probe.sentence}"
        yield from _wrapped("Probe", f"{text} {found.probe.how}", columns)


def _room(room: Room) -> str:
    text = f"{counted(room.capable, 'schedulable node')} can run it, {room.open} open to any pod"
    if room.reserved:
        more = len(room.taints) - _MOST_TAINTS
        named = ", ".join(room.taints[:_MOST_TAINTS]) + (f" and {more} more" if more > 0 else "")
        text += f", {room.reserved} to those that tolerate {named}"
    if room.pods is None:
        return f"{text}; how many pods fit is not known."
    return f"{text}; the open ones have room for {counted(room.pods, 'pod')}."


def _pod_lines(found: Examination, columns: int) -> Iterator[str]:
    if found.pod is None:
        return
    yield visible(f"pod {found.pod.namespace}/{found.pod.name}")
    for sentence in found.pod.sentences:
        yield from _indented(sentence, columns)


def _finding_lines(
    findings: Sequence[ClusterFinding], columns: int, *, colour: bool
) -> Iterator[str]:
    for index, finding in enumerate(findings):
        code, severity = load_codes()[finding.code], finding.severity
        word = f"{_COLOURS[severity]}{severity:<8}{_RESET}" if colour else f"{severity:<8}"
        if index:
            yield ""
        yield f"{word} {finding.code} {code.name}"
        for text in (f"{finding.subject}: {finding.explanation}", finding.evidence):
            yield from _indented(text, columns)
        yield from _indented(f"→ {finding.remedy or code.remedy}", columns)


def _strategy_lines(found: Examination, columns: int) -> Iterator[str]:
    strategy = found.strategy
    if strategy is None:
        return
    yield f"Way to adopt it: {_FITS[strategy.fit]}"
    for text in (strategy.why, *strategy.steps):
        yield from _indented(text, columns)
    if strategy.manifest:
        yield ""
        yield from (
            line if line.isprintable() else visible(line)
            for line in strategy.manifest.rstrip().split("\n")
        )


def _closing_lines(found: Examination, columns: int) -> Iterator[str]:
    if not found.findings:
        yield (
            "No findings."
            if found.pods_looked_at is None
            else (f"No findings; {counted(found.pods_looked_at, 'pod')} looked at.")
        )
    for unseen in found.not_seen:
        yield from textwrap.wrap(visible(f"not seen: {unseen.what} ({unseen.why})"), columns)
    if found.findings:
        yield f"webhook-fuzz explain {found.findings[0].code} says more, as for every code."


def _wrapped(lead: str, text: str, columns: int) -> Iterator[str]:
    yield from textwrap.wrap(
        visible(" ".join(text.split())),
        columns,
        initial_indent=f"{lead:<9}",
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )


def _indented(text: str, columns: int) -> Iterator[str]:
    yield from textwrap.wrap(
        visible(text),
        columns,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
