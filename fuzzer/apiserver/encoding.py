"""How does Go's encoding/json write and read a JSON text?

kube-apiserver writes reviews and re-reads patched objects with it, and its spelling is visible to
webhooks: `<`, `>`, `&`, U+2028 and U+2029 are escaped, everything is on one line. Reading is more
lenient than orjson in three ways that a webhook's answer can depend on: bytes that are not UTF-8
and lone surrogates become U+FFFD, and numbers too large for a double are no error by themselves.

Source: Go's encoding/json (encode.go appendString and floatEncoder, decode.go unquote).
"""

import codecs
import json
import math
import re
from typing import NoReturn

import orjson

from webhook_fuzz.corpora.json_values import JsonValue

_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
)
_ESCAPES_BEYOND_ASCII = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)
# No 64-bit integer has more digits; longer ones are not worth an arbitrary-precision parse.
_INTEGER_DIGITS = 20


class NotJsonError(ValueError):
    """The bytes are no JSON text; the message says what was met and where."""


def encode_json(value: JsonValue) -> bytes:
    """The compact JSON text Go writes for a value, without a newline.

    Member order is kept. Raises RecursionError where the value nests deeper than the interpreter
    can follow (about 1,000 levels).
    """
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        encoded = _encode_slowly(value)
    return escape_html(encoded)


def escape_html(encoded: bytes) -> bytes:
    """A JSON text with the characters escaped that Go escapes for HTML and JavaScript.

    Replacing bytes is safe: these characters occur in a JSON text inside strings only. Source:
    encoding/json indent.go appendCompact(escape = true).
    """
    encoded = _replaced(encoded, _ESCAPES)
    # Looking for three bytes takes longer than encoding did (a review of 22 kB: 45 of 78 us).
    return encoded if encoded.isascii() else _replaced(encoded, _ESCAPES_BEYOND_ASCII)


def _replaced(encoded: bytes, escapes: tuple[tuple[bytes, bytes], ...]) -> bytes:
    for plain, escaped in escapes:
        if plain in encoded:
            encoded = encoded.replace(plain, escaped)
    return encoded


def encode_scalar(value: JsonValue) -> str:
    """One scalar as Go spells it: the float 1.0 is `1`, 1e-9 is `1e-9` and not `1e-09`."""
    if isinstance(value, float):
        return encode_float(value)
    return encode_json(value).decode()


def encode_float(value: float) -> str:
    """A float64 as Go spells it; not a number and infinities, which Go refuses, as `null`.

    Source: encoding/json encode.go floatEncoder: the shortest digits that read back the same,
    in positional notation from 1e-6 up to 1e21.
    """
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    significant = whole + fraction
    stripped = significant.lstrip("0")
    point -= len(significant) - len(stripped)
    return sign + _place_point(stripped.rstrip("0"), point)


def _place_point(digits: str, point: int) -> str:
    """Significant digits with the decimal point after the first `point` of them, as Go does."""
    if point > 21 or point < -5:  # noqa: PLR2004 - floatEncoder: abs < 1e-6 || abs >= 1e21
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def read_json(body: bytes) -> JsonValue:
    """The value of a JSON text, read as leniently as Go does.

    Integers beyond 64 bits become floats. Raises NotJsonError for anything Go would refuse, and
    for nesting beyond what this interpreter can follow (Go's own limit is 10,000 levels).
    """
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_leniently(body)
    return value


def _read_leniently(body: bytes) -> JsonValue:
    text = body.decode("utf-8", errors="go-replacement")
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant, parse_int=read_integer)
        return _without_surrogates(value) if "\\u" in text else value
    except RecursionError:
        raise NotJsonError("nested too deep to be read") from None
    except ValueError as error:
        raise NotJsonError(str(error)) from None


def read_integer(digits: str) -> int | float:
    """An integer of a JSON text; a float where it exceeds 64 bits, as orjson has it."""
    if len(digits) > _INTEGER_DIGITS:
        return float(digits)
    number = int(digits)
    return number if _SMALLEST_INTEGER <= number <= _LARGEST_INTEGER else float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is no JSON value")


def _without_surrogates(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return _LONE_SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(element) for element in value]
        case dict():
            return {
                _LONE_SURROGATE.sub("\ufffd", key): _without_surrogates(member)
                for key, member in value.items()
            }
        case _:
            return value


def _encode_slowly(value: JsonValue) -> bytes:
    """For what orjson refuses: nesting beyond 254, huge integers, lone surrogates, subclasses."""
    return _spell(value).encode("utf-8", errors="go-replacement")


def _spell(value: JsonValue) -> str:
    match value:
        case float():
            return encode_float(value)
        case list():
            return f"[{','.join([_spell(element) for element in value])}]"
        case dict():
            members = [f"{_spell(key)}:{_spell(member)}" for key, member in value.items()]
            return f"{{{','.join(members)}}}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _replace_each_byte(error: UnicodeError) -> tuple[str | bytes, int]:
    """Go's rule for text that is not UTF-8: one U+FFFD for every byte, not one a sequence."""
    if isinstance(error, UnicodeEncodeError):
        return "\ufffd".encode() * (error.end - error.start), error.end
    if isinstance(error, UnicodeDecodeError):
        return "\ufffd" * (error.end - error.start), error.end
    raise error


codecs.register_error("go-replacement", _replace_each_byte)
