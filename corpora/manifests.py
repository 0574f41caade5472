"""Which objects are in the manifests a user gives, and where is each of their members written?

Files, folders with their subfolders (`helm template --output-dir` makes some) and standard input.
Documents are looked at one by one, and read only when they hold a kind that is asked for: a chart's
custom resource definitions are megabytes of YAML nobody here needs.
"""

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.manifest_lines import MemberLines, Step, read_lines
from webhook_fuzz.corpora.manifest_texts import (
    MANIFEST_HINT,
    SUFFIXES,
    decode_manifest,
    read_json_documents,
    read_manifest_text,
    unreadable,
)
from webhook_fuzz.corpora.seeds.yaml_documents import Document, read_yaml

STANDARD_INPUT: Final = "-"
MAX_BYTES: Final = 128 * 2**20
"""More than any rendered chart: it is held as text once."""

_STANDARD_INPUT_NAME: Final = "<stdin>"
# kubectl splits where a line begins with three dashes, before it reads any YAML
# (k8s.io/apimachinery pkg/util/yaml/decoder.go, splitYAMLDocument).
_BOUNDARY: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_KIND: Final = re.compile(r"\bkind[\"']?\s*:\s*[\"']?(\w+)")
# What `helm template` writes over each document.
_CHART_FILE: Final = re.compile(r"^# Source: (\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object. `chart_file` is the template Helm rendered it from, where Helm says so."""

    value: JsonObject
    file: str
    line: int
    chart_file: str | None
    lines: MemberLines = field(repr=False)

    def line_of(self, *path: Step) -> int | None:
        """The line a member is written at (`"webhooks", 0, "rules"`), None where it is not."""
        return self.lines.find(path)


@dataclass(slots=True, kw_only=True)
class ManifestCount:
    """How much was looked at: documents with a kind, read or not."""

    documents: int = 0


def iterate_manifests(
    sources: Iterable[str], kinds: Collection[str], *, count: ManifestCount
) -> Iterator[Manifest]:
    """The objects of the given kinds in files, folders and standard input (`-`).

    Lists are unrolled. Raises InputError, naming file and line, for what cannot be read, in
    documents with one of these kinds.
    """
    wanted = frozenset(kinds)
    for source in sources:
        for name, text in _read_texts(source):
            yield from _manifests(text, name, wanted, count)


def _read_texts(source: str) -> Iterator[tuple[str, str]]:
    if source == STANDARD_INPUT:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
        yield (
            _STANDARD_INPUT_NAME,
            decode_manifest(content, source=_STANDARD_INPUT_NAME, most=MAX_BYTES),
        )
        return
    for file in _files(Path(source)):
        yield str(file), read_manifest_text(file, most=MAX_BYTES)


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        return sorted(
            file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
        )
    except OSError as error:
        raise unreadable(path, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A part of a file between two boundaries, and the number of its first line."""

    text: str
    line: int

    def kinds(self) -> frozenset[str]:
        return frozenset(_KIND.findall(self.text))


def _manifests(
    text: str, name: str, wanted: frozenset[str], count: ManifestCount
) -> Iterator[Manifest]:
    is_json = text.lstrip()[:1] in {"{", "["}
    read = wanted | {f"{kind}List" for kind in wanted}  # whose items name no kind
    for part in [_Part(text=text, line=1)] if is_json else _parts(text):
        kinds = part.kinds()
        count.documents += bool(kinds)
        if kinds.isdisjoint(read):
            continue
        chart_file = None if is_json else _chart_file(part)
        for document, lines in _documents(part, name, is_json=is_json):
            for value, inner in _unrolled(document, lines, name):
                if value.get("kind") in wanted:
                    yield Manifest(
                        value=value,
                        file=name,
                        line=inner.find(()) or document.line,
                        chart_file=chart_file,
                        lines=inner,
                    )


def _parts(text: str) -> Iterator[_Part]:
    line, start = 1, 0
    for boundary in [found.start() for found in _BOUNDARY.finditer(text)] + [len(text)]:
        part = text[start:boundary]
        yield _Part(text=part, line=line)
        line += part.count("\n")
        start = boundary


def _chart_file(part: _Part) -> str | None:
    found = _CHART_FILE.search(part.text)
    return found[1] if found else None


def _documents(part: _Part, name: str, *, is_json: bool) -> Iterator[tuple[Document, MemberLines]]:
    documents = (
        tuple(read_json_documents(part.text, source=name))
        if is_json
        else read_yaml(part.text, source=name, first_line=part.line)
    )
    lines = read_lines(part.text, count=len(documents), first_line=part.line)
    yield from zip(documents, lines, strict=True)


def _unrolled(
    document: Document, lines: MemberLines, name: str
) -> Iterator[tuple[JsonObject, MemberLines]]:
    value = document.value
    if value is None:  # an empty document, as templates leave them behind
        return
    for each, inner in _members(value, lines):
        if not isinstance(each, dict):
            raise InputError(
                f"{name}:{inner.find(()) or document.line}: not an object but of type "
                f"{json_type_name(each)}",
                hint=MANIFEST_HINT,
            )
        yield each, inner


def _members(value: JsonValue, lines: MemberLines) -> Iterator[tuple[JsonValue, MemberLines]]:
    """The value, or the items of a List: `v1` List, or the list kind `kubectl get -o` may give."""
    items = value.get("items") if isinstance(value, dict) else None
    kind = value.get("kind") if isinstance(value, dict) else None
    if not (isinstance(items, list) and isinstance(kind, str) and kind.endswith("List")):
        yield value, lines
        return
    for index, item in enumerate(items):
        typed = item
        if isinstance(item, dict) and "kind" not in item and kind != "List":
            typed = {"kind": kind.removesuffix("List"), **item}
        yield typed, lines.below("items", index)
