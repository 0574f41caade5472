"""Which JSON value is a YAML scalar for kubectl?

The tables are those of resolve() in go.yaml.in/yaml/v2, which sigs.k8s.io/yaml is built on, and
of Go's strconv for the spelling of numbers.
"""

import base64
import binascii
import math
import re

from webhook_fuzz.corpora.json_values import JsonValue

MERGE_KEY = "<<"
_TAG_PREFIX = "tag:yaml.org,2002:"

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)"
    r"|0[oO]?(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Beyond, a float without a fraction is no integer to whoever decodes it.
_INTEGERS_END = 2.0**63
_LONGEST_NUMBER = 400


def resolve_scalar(text: str, *, tag: str | None, plain: bool) -> JsonValue:
    """The JSON value of a scalar: its text, its resolved tag, whether it stands without quotes.

    Raises ValueError for what JSON cannot hold (.nan, .inf) and for a text that is not what its
    tag says.
    """
    value = _resolve(text, tag, plain=plain)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{text} cannot be written in JSON")
    return value


def resolve_key(text: str, *, tag: str | None, plain: bool) -> str:
    """The member name a scalar becomes as a key: kubectl writes numbers and booleans as text.

    (Fractions it rounds to 32 bits first, which is not done here: no pod has one as a key.)
    Raises ValueError for null, which no JSON object can have as a key.
    """
    match _resolve(text, tag, plain=plain):
        case str(key):
            return key
        case bool(key):
            return "true" if key else "false"
        case int(key):
            return str(key)
        case float(key):
            return repr(key) if math.isfinite(key) else text
        case _:
            raise ValueError("null cannot be a key of a JSON object")


def _resolve(text: str, tag: str | None, *, plain: bool) -> JsonValue:
    if tag is None:
        return _guess(text) if plain else text
    if not tag.startswith(_TAG_PREFIX):
        return text
    name = tag.removeprefix(_TAG_PREFIX)
    match name:
        case "binary":
            return _decode_binary(text)
        case "null" | "bool" | "int" | "float":
            return _tagged(text, name)
        case _:
            return text


def _tagged(text: str, name: str) -> JsonValue:
    value = _guess(text)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": _integer(text.replace("_", "")) is not None,
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if not fits[name]:
        raise ValueError(f"{text!r} is tagged !!{name} and is none")
    return value


def _guess(text: str) -> JsonValue:
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        return math.nan if "n" in text.lower().replace("inf", "") else math.inf
    # Longer numbers are beyond a float in any spelling, and slow to convert.
    if not text or text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    for parse in (_integer, _float):
        number = parse(digits)
        if number is not None:
            return number
    return text


def _integer(digits: str) -> int | None:
    found = _INTEGER.fullmatch(digits)
    if found is None or found.lastgroup is None:
        return None
    number = int(found[found.lastgroup], _BASES[found.lastgroup])
    if found["sign"]:
        number = -number if found["sign"] == "-" else number
        return number if -(2**63) <= number < 2**63 else None
    return number if number < 2**64 else None


def _float(digits: str) -> int | float | None:
    if not _FLOAT.fullmatch(digits):
        return None
    number = float(digits)
    if math.isinf(number):
        return None
    # `1.0` reaches the API server as 1: Go writes a float without a fraction like an integer.
    return int(number) if number.is_integer() and abs(number) < _INTEGERS_END else number


def _decode_binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("!!binary does not hold base64 of a UTF-8 text") from error
