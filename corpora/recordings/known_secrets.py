"""Where else is a value that was masked for its place?

A value of a variable turns up again in patches, messages and errors, as it is or as base64, URLs
and JSON spell it. Looking for a hundred values in every text costs more than everything else that
is done to an exchange, so that it is first asked which of them can be in it at all: a value has
runs of letters and digits that every text with it has too, and an exchange has few different ones.
"""

import base64
import json
import operator
import re
import string
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import orjson

from webhook_fuzz.corpora.bounded import Bounded
from webhook_fuzz.corpora.json_values import JsonValue

_LEAST_LEARNED: Final = 8
_LONG_ENOUGH: Final = 16
_MOST_KEPT: Final = 4096
_MOST_ALIKE: Final = 128
"""Of the values with the same longest run: `cluster` is that of many URLs."""
_LEAST_RUN: Final = 4
# The usual ones, the backslash itself first, are replaced ten times as fast as by the expression.
_ESCAPES: Final = (b"\\\\", b'\\"', b"\\n", b"\\t")
_ESCAPED: Final = re.compile(rb"\\(?:u[0-9A-Fa-f]{4}|.)")
# Everything else ends a run.
_RUNS: Final = bytes(
    code if chr(code) in string.ascii_letters + string.digits else ord(" ") for code in range(256)
)
_POINTERS: Final = frozenset({"op", "path", "from"})
_NOTHING: Final = frozenset[str]()
_NO_RUN: Final = frozenset({b""})


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """One way to write a value, as JSON writes it: all of it, its runs and the longest of them."""

    written: bytes
    runs: frozenset[bytes]
    longest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A value that was masked, and how it is spelled elsewhere."""

    value: str
    texts: tuple[str, ...]
    spellings: tuple[Spelling, ...]
    longest: tuple[bytes, ...]
    """The different longest runs of the spellings."""


class KnownSecrets:
    """Values that were masked lately; bounded in number."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Known] = OrderedDict()
        self._by_run: dict[bytes, Bounded[bytes, tuple[Known, Spelling]]] = {}

    def learn(self, values: Iterable[str]) -> tuple[Known, ...]:
        """Remember the values of one exchange."""
        return tuple([self._kept.get(value) or self._keep(value) for value in values])

    def find(
        self, own: Iterable[Known], runs: set[bytes], write: Callable[[], bytes]
    ) -> tuple[Known, ...]:
        """Those that are in a JSON text, in one spelling or another.

        `runs` are at least the long ones of the text, which `write` makes where it has to be read.
        `own` are those of the same exchange: they are found wherever they are. Those of earlier
        ones are found where their runs stand alone.
        """
        compact = b" ".join(runs)
        possible = [
            (known, spelling)
            for known in own
            if _is_any_in(known.longest, compact)
            for spelling in known.spellings
            if spelling.longest in compact
        ]
        for run in (runs | _NO_RUN) & self._by_run.keys():
            for known, spelling in self._by_run[run].values():
                if spelling.runs <= runs:
                    possible.append((known, spelling))
        if not possible:
            return ()
        written = write()
        found = {id(known): known for known, spelling in possible if spelling.written in written}
        return tuple(found.values())

    def _keep(self, value: str) -> Known:
        known = self._kept[value] = _spell(value)
        for spelling in known.spellings:
            alike = self._by_run.setdefault(spelling.longest, Bounded(_MOST_ALIKE))
            alike[spelling.written] = (known, spelling)
        if len(self._kept) > _MOST_KEPT:
            self._forget(self._kept.popitem(last=False)[1])
        return known

    def _forget(self, known: Known) -> None:
        for spelling in known.spellings:
            if (alike := self._by_run.get(spelling.longest)) is not None:
                alike.pop(spelling.written, None)
                if not alike:
                    del self._by_run[spelling.longest]


class Replacing:
    """Puts tokens in the place of known values."""

    def __init__(self, found: Sequence[Known], token: Callable[[str], str]) -> None:
        pairs = [(spelling, token(known.value)) for known in found for spelling in known.texts]
        # The longest first: one may be the beginning of another.
        self._pairs = sorted(pairs, key=lambda pair: -len(pair[0]))
        self._written = [spelling.written for known in found for spelling in known.spellings]

    def _concerns(self, element: JsonValue) -> bool:
        """Whether there is anything in it; nothing is in most containers, which are large."""
        return not isinstance(element, dict) or _is_any_in(self._written, orjson.dumps(element))

    def text(self, text: str) -> str:
        """A text with tokens in it."""
        for spelling, token in self._pairs:
            if spelling in text:
                text = text.replace(spelling, token)
        return text

    def value(self, value: JsonValue) -> JsonValue:
        """A value with tokens in its texts; names of members and pointers of patches stay.

        What nothing is replaced in is the same object.
        """
        if not self._pairs:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            elements = [
                self.value(element) if self._concerns(element) else element for element in value
            ]
            return value if all(map(operator.is_, elements, value)) else elements
        if isinstance(value, dict):
            pointers = _POINTERS if "op" in value else _NOTHING
            members = {
                name: member if name in pointers else self.value(member)
                for name, member in value.items()
            }
            return value if all(map(operator.is_, members.values(), value.values())) else members
        return value


def is_learned(value: str) -> bool:
    """Whether it is looked for elsewhere; short words turn up in names, which have to stay."""
    if len(value) >= _LONG_ENOUGH:
        return True
    return len(value) >= _LEAST_LEARNED and any(char.isdigit() for char in value)


def _spell(value: str) -> Known:
    encoded = value.encode("utf-8", "surrogatepass")
    texts = dict.fromkeys(
        (
            value,
            base64.b64encode(encoded).decode(),
            quote(encoded),
            quote(encoded, safe=""),
            json.dumps(value, ensure_ascii=False)[1:-1],
        )
    )
    spellings = tuple(map(_spelling_of, texts))
    longest = dict.fromkeys(spelling.longest for spelling in spellings)
    return Known(value, tuple(texts), spellings, tuple(longest))


def _spelling_of(text: str) -> Spelling:
    written = orjson.dumps(text)[1:-1]
    runs = long_runs_of(written)
    return Spelling(written, frozenset(runs), max(runs, key=len, default=b""))


def runs_of(written: bytes) -> set[bytes]:
    """The different runs of letters and digits of a JSON text, without its escapes."""
    for escape in _ESCAPES:
        if b"\\" not in written:
            break
        written = written.replace(escape, b" ")
    if b"\\" in written:
        written = _ESCAPED.sub(b" ", written)
    return set(written.translate(_RUNS).split())


def long_runs_of(written: bytes) -> set[bytes]:
    """Those by which spellings are told apart: most texts have the short ones."""
    return {run for run in runs_of(written) if len(run) >= _LEAST_RUN}


def _is_any_in(needles: Iterable[bytes], text: bytes) -> bool:
    for needle in needles:  # noqa: SIM110 - any() takes twice as long, 20 times an exchange
        if needle in text:
            return True
    return False
