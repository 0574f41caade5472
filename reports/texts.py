"""How is a string that a webhook chose made safe to read?

Names, paths, messages and values come from webhooks and from pods: whoever writes them decides
what a terminal, a browser or an issue tracker is asked to show. Escaping for the format is each
renderer's business; this module takes out what no format should ever carry on: terminal escape
sequences, controls that reverse the reading direction (CVE-2021-42574), and surrogates that cannot
be written as UTF-8.
"""

import unicodedata

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.versions import parse_minor

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_PICTURES = 0x2400  # U+2400 is the picture of U+0000, and so on up to the space
_DELETE, _DELETE_PICTURE = "\x7f", "\u2421"
_SPACE = " "


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with every character that is not printed made visible.

    ASCII controls become their pictures (escape becomes U+241B), other controls, format characters
    and surrogates become U+FFFD. With `lines`, line feeds and tabs stay as they are.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(char if char in kept else _visible_character(char) for char in text)


def _visible_character(char: str) -> str:
    if char < _SPACE:
        return chr(_PICTURES + ord(char))
    if char == _DELETE:
        return _DELETE_PICTURE
    # Zl and Zp end a line where JSON does not; Cn is kept: new scripts appear every year.
    return _REPLACEMENT if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char


def clipped(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters with an ellipsis as the last."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def capitalised(text: str) -> str:
    """`text` with its first letter upper case, the others as they are (`cluster IP`)."""
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 field`, `2 fields`, `1,204 calls`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 05 s`, `2 h 07 min`: what a person compares."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def short_path(path: str) -> str:
    """A path without the `spec.` that nearly all of them begin with."""
    return path.removeprefix("spec.")


def minor_order(minor: str | None) -> tuple[int, int, int, str]:
    """Sorts minors as numbers; a text that is no version comes last, as text."""
    try:
        major, number = parse_minor(minor or "")
    except InputError:
        return 1, 0, 0, minor or ""
    return 0, major, number, ""
