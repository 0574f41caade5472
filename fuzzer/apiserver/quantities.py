"""How does Kubernetes spell a quantity?

`1024Mi` comes back from the API server as `1Gi`, `0.1` as `100m`, the number 1 as "1": two pods are
compared by canonical spellings, or every such rewrite looks like a change.

A quantity keeps its family of suffixes (Ki, Mi, … or m, k, M, … or e3, e6, …), is rounded up to
whole nanos, and may not exceed 2^63-1 in the binary family.

Source: k8s.io/apimachinery pkg/api/resource quantity.go ParseQuantity and
Quantity.CanonicalizeBytes, suffix.go, amount.go.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_NANO = 9
_MILLI = 3
_LARGEST_BINARY = 2**63 - 1
# Go reads the exponent as int64 and cuts it down to int32.
_EXPONENT_RANGE = range(-(2**63), 2**63)
# Beyond this the server would compute numbers of unbounded length; nobody means such a quantity.
_EXPONENT_LIMIT = 10_000
# As many digits ParseQuantity computes with in an int64, before those an exponent of 2 takes.
_INT64_DIGITS = 18
_BINARY_DIGITS = 14
# Python refuses to read longer ones (sys.get_int_max_str_digits).
_DIGITS_LIMIT = 4_000
_SPELLING = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?"
    r"(?P<suffix>[eEinumkKMGTP]*[-+]?[0-9]*)"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIXES = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIXES = {exponent: suffix for suffix, exponent in _BINARY.items()}

_WRONG_FORMAT = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_WRONG_NUMBER = "unable to parse numeric part of quantity"
_WRONG_SUFFIX = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """The text is no quantity; the message is the API server's."""


class QuantityFormat(StrEnum):
    """The families of suffixes a quantity keeps through a round trip."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """An amount in nanos and the family it is spelled in."""

    nanos: int
    format: QuantityFormat

    def rounded_up_to_milli(self) -> "Quantity":
        """Away from zero to whole thousandths, as defaulting does to resource lists.

        Source: k8s.io/kubernetes pkg/apis/core/v1/defaults.go SetDefaults_ResourceList.
        """
        return Quantity(nanos=_round_away(self.nanos, 10**6) * 10**6, format=self.format)

    def __str__(self) -> str:
        return _render(self)


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Quantity:
    """The quantity a text spells. Raises QuantityError with the API server's message."""
    if not text:
        raise QuantityError(_WRONG_FORMAT)
    found = _SPELLING.fullmatch(text)
    if found is None:
        raise QuantityError(_WRONG_FORMAT)
    exponent, family = _interpret(found["suffix"])
    digits = found["whole"] + (found["fraction"] or "")
    if len(digits) > _DIGITS_LIMIT:
        raise QuantityError(f"{len(digits)} digits are beyond what can be computed with")
    if not digits and _needs_digits(exponent, family):
        raise QuantityError(_WRONG_NUMBER)
    scale = len(found["fraction"] or "")
    nanos, family = _amount(int(digits or "0"), scale, exponent, family)
    return Quantity(nanos=-nanos if found["sign"] == "-" else nanos, format=family)


@lru_cache(maxsize=4096)
def served_quantity(text: str) -> str:
    """A quantity as it leaves the API server again. Raises QuantityError.

    That is the canonical spelling, unless ParseQuantity takes the text for canonical as it is:
    `+5`, `5.` and `07Mi` stay so. Source: quantity.go ParseQuantity ("reuse the string").
    """
    stripped = text.strip()
    quantity = parse_quantity(stripped)
    return stripped if _is_reused(stripped, quantity.format) else str(quantity)


def _is_reused(text: str, family: QuantityFormat) -> bool:
    found = _SPELLING.fullmatch(text)
    if found is None:
        return False
    number, fraction = found["whole"].lstrip("0") or "0", found["fraction"] or ""
    exponent, _ = _interpret(found["suffix"])
    if family is QuantityFormat.BINARY_SI:
        digits = _BINARY_DIGITS - len(number) - exponent * 3 // 10
        return digits >= 0 and not fraction and int(number) & 0b111 != 0
    scale, shifted = exponent - len(fraction), number + fraction
    fits = len(shifted) <= _INT64_DIGITS and scale >= -_NANO
    return fits and scale % 3 == 0 and not shifted.endswith("000") and shifted[0] != "0"


def _interpret(suffix: str) -> tuple[int, QuantityFormat]:
    """The exponent (of 10, or of 2 for the binary family) and the family a suffix stands for."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], QuantityFormat.DECIMAL_SI
    if suffix in _BINARY:
        return _BINARY[suffix], QuantityFormat.BINARY_SI
    if suffix[0] in "eE" and re.fullmatch(r"[+-]?[0-9]+", suffix[1:]):
        exponent = int(suffix[1:]) if len(suffix) <= _DIGITS_LIMIT else 2**64
        if exponent in _EXPONENT_RANGE:
            wrapped = (exponent + 2**31) % 2**32 - 2**31
            return _limited(wrapped), QuantityFormat.DECIMAL_EXPONENT
    raise QuantityError(_WRONG_SUFFIX)


def _needs_digits(exponent: int, family: QuantityFormat) -> bool:
    """Without any digit the amount is 0, unless it misses ParseQuantity's fast path."""
    if family is QuantityFormat.BINARY_SI:
        return exponent >= _BINARY["Pi"]
    return exponent < -_NANO


def _limited(exponent: int) -> int:
    if abs(exponent) > _EXPONENT_LIMIT:
        raise QuantityError(f"exponent {exponent} is beyond what can be computed with")
    return exponent


def _amount(
    digits: int, scale: int, exponent: int, family: QuantityFormat
) -> tuple[int, QuantityFormat]:
    """The absolute amount in nanos: rounded up, cut off, and a binary fraction made decimal."""
    if family is not QuantityFormat.BINARY_SI:
        power = _NANO - scale + exponent
        return _scaled_up(digits, power), family
    scaled = digits << exponent
    nanos = _scaled_up(scaled, _NANO - scale)
    nanos = min(nanos, _LARGEST_BINARY * 10**_NANO)
    if 0 < nanos < 10**_NANO:
        return nanos, QuantityFormat.DECIMAL_SI
    return nanos, family


def _scaled_up(digits: int, power: int) -> int:
    unit: int = 10 ** abs(power)
    return digits * unit if power >= 0 else -(-digits // unit)


def _round_away(value: int, unit: int) -> int:
    units = -(-abs(value) // unit)
    return units if value > 0 else -units


def _render(quantity: Quantity) -> str:
    """Source: quantity.go Quantity.CanonicalizeBytes."""
    if quantity.nanos == 0:
        return "0"
    whole, rest = divmod(abs(quantity.nanos), 10**_NANO)
    sign = "-" if quantity.nanos < 0 else ""
    if quantity.format is QuantityFormat.BINARY_SI and rest == 0 and whole >= 1024:  # noqa: PLR2004
        return sign + _render_binary(whole)
    exponential = quantity.format is QuantityFormat.DECIMAL_EXPONENT
    return sign + _render_decimal(abs(quantity.nanos), exponential=exponential)


def _render_binary(whole: int) -> str:
    exponent = 0
    while whole % 1024 == 0:
        whole //= 1024
        exponent += 10
    suffix = _BINARY_SUFFIXES.get(exponent, "") if exponent else ""
    return f"{whole}{suffix}"


def _render_decimal(nanos: int, *, exponential: bool) -> str:
    """The fewest digits before an exponent that is a multiple of three."""
    exponent = -_NANO
    while nanos % 1000 == 0:
        nanos //= 1000
        exponent += 3
    if exponential:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIXES.get(exponent, '')}"
