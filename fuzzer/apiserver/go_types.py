"""How does each Go type of a pod decode from JSON?

A schema is turned into a tree of plans once; decoding follows them. What is shared with an object
known to decode is skipped by identity, so that the cost follows the size of the patch.

Source: sigs.k8s.io/json (a fork of encoding/json, case-sensitive), k8s.io/apimachinery
pkg/api/resource quantity.go, pkg/util/intstr intstr.go, pkg/apis/meta/v1 time.go.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.fuzzer.apiserver.encoding import encode_scalar
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, served_quantity
from webhook_fuzz.fuzzer.apiserver.sharing import unshared

# The integers of a pod that are int64 in k8s.io/api core/v1 and meta/v1 types.go; others are int32.
_INT64 = frozenset(
    {
        "activeDeadlineSeconds",
        "deletionGracePeriodSeconds",
        "expirationSeconds",
        "fsGroup",
        "generation",
        "observedGeneration",
        "runAsGroup",
        "runAsUser",
        "seconds",
        "supplementalGroups",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
    }
)
_INT32_RANGE = range(-(2**31), 2**31)
_INT64_RANGE = range(-(2**63), 2**63)
# Go's layout 2006-01-02T15:04:05Z07:00 with the fraction time.Parse also takes.
_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?"
    r"(?P<offset>Z|[+-]([01]\d|2[0-4]):[0-5]\d)"
)
_SECONDS_END = len("2006-01-02T15:04:05")
_UTC = timedelta()
_NOT_A_QUANTITY = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeError:
    """Why the object cannot be decoded. `message` is worded as Go words it."""

    path: str
    expected: str
    got: str
    message: str


class MismatchError(Exception):
    """Carries a DecodeError out of the recursion."""

    def __init__(self, error: DecodeError) -> None:
        super().__init__(error.message)
        self.error = error


class _Absent:
    """A member that decoding leaves out."""


_ABSENT: Final = _Absent()
# The way to a place: members by name, elements by position, entries of a map as a 1-tuple.
_Path: TypeAlias = "tuple[_Path, str | int | tuple[str]] | None"
_NO_MEMBERS: Final[JsonObject] = {}


class _Plan:
    """How one place of a schema is decoded; the place of an untyped value itself.

    `plain` is the Python type whose every value is fine as it is, `zero` Go's zero value, `struct`
    the Go struct the place is a member of.
    """

    plain: type | None = None
    zero: JsonValue = None
    go_type = "object"

    def __init__(self, struct: str) -> None:
        self.struct = struct

    def null(self) -> JsonValue:
        """What a null becomes where it cannot be left out, in a list or a map."""
        return self.zero

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        """The value, which is not null, as Go has it. Raises MismatchError."""
        del reuse, path, dropped
        return value

    def mismatch(self, value: JsonValue, path: _Path) -> MismatchError:
        """The error Go reports for a value of the wrong type."""
        got = json_type_name(value)
        if got == "number" and self.go_type.startswith("int"):
            got = f"number {_number(value)}"
        message = (
            f"json: cannot unmarshal {got} into Go struct field "
            f"{self.struct}.{_go_path(path)} of type {self.go_type}"
        )
        return MismatchError(
            DecodeError(path=_render(path), expected=self.go_type, got=got, message=message)
        )


class _Scalar(_Plan):
    """A place that holds a text, a number or a flag."""

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        del reuse, dropped
        if type(value) is self.plain:
            return value
        raise self.mismatch(value, path)


class _String(_Scalar):
    plain = str
    zero = ""
    go_type = "string"


class _Boolean(_Scalar):
    plain = bool
    zero = False
    go_type = "bool"


class _Integer(_Plan):
    """An int32 or int64. Python's bool is no number here, and 30.0 no integer."""

    zero = 0

    def __init__(self, struct: str, name: str) -> None:
        super().__init__(struct)
        self.go_type = "int64" if name in _INT64 else "int32"
        self._range = _INT64_RANGE if name in _INT64 else _INT32_RANGE

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        del reuse, dropped
        if type(value) is int and value in self._range:
            return value
        raise self.mismatch(value, path)


class _IntOrString(_Integer):
    """Source: k8s.io/apimachinery pkg/util/intstr intstr.go IntOrString.UnmarshalJSON."""

    plain = str


class _Time(_Plan):
    go_type = "string"

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        del reuse, dropped
        if not isinstance(value, str):
            raise self.mismatch(value, path)
        return _time(value, path)


class _Quantity(_Plan):
    zero = "0"

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        del reuse, dropped
        return _quantity(value, path)


class _Struct(_Plan):
    """A Go struct: known members are decoded, others dropped."""

    def __init__(self, struct: str, schema: FieldSchema) -> None:
        super().__init__(struct)
        self.go_type = f"v1.{schema.struct}"
        self._members = {
            name: _plan(member, schema.struct, name) for name, member in schema.members.items()
        }

    def null(self) -> JsonValue:
        return {}

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        if not isinstance(value, dict):
            raise self.mismatch(value, path)
        return self.members(value, reuse, path, dropped)

    def members(
        self, value: JsonObject, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonObject:
        """The members the struct has, decoded; the same object if nothing changes."""
        old = reuse if isinstance(reuse, dict) else _NO_MEMBERS
        known = self._members
        changes: list[tuple[str, JsonValue | _Absent]] = []
        for name, member in value.items():
            before = old.get(name, _ABSENT)
            if before is member:
                continue
            plan = known.get(name)
            if plan is None:
                dropped.append(_render((path, name)))
                changes.append((name, _ABSENT))
            elif member is None:
                changes.append((name, _ABSENT))
            elif type(member) is not plan.plain:
                decoded = plan.decode(member, _present(before), (path, name), dropped)
                if decoded is not member:
                    changes.append((name, decoded))
        return _changed(value, changes) if changes else value


class _List(_Plan):
    """A Go slice. Elements shared with the old list, wherever they stand, are known to decode."""

    def __init__(self, struct: str, name: str, schema: FieldSchema) -> None:
        super().__init__(struct)
        self._element = _element_plan(schema, struct, name)
        self._key = schema.merge_keys[0] if schema.merge_keys else ""
        self.go_type = f"[]{self._element.go_type}"

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        if not isinstance(value, list):
            raise self.mismatch(value, path)
        old = reuse if isinstance(reuse, list) else []
        element_plan = self._element
        changes: list[tuple[int, JsonValue]] = []
        for position, element in unshared(value, old):
            if type(element) is element_plan.plain:
                continue
            if element is None:
                changes.append((position, element_plan.null()))
                continue
            before = self._counterpart(element, position, old)
            decoded = element_plan.decode(element, before, (path, position), dropped)
            if decoded is not element:
                changes.append((position, decoded))
        return _with_elements(value, changes) if changes else value

    def _counterpart(self, element: JsonValue, position: int, old: list[JsonValue]) -> JsonValue:
        """The old element with the same key, to find shared subtrees of a changed one."""
        if self._key and isinstance(element, dict):
            key = element.get(self._key)
            for candidate in old:
                if isinstance(candidate, dict) and candidate.get(self._key) == key:
                    return candidate
            return None
        return old[position] if position < len(old) else None


class _Map(_Plan):
    """A Go map from text: any key will do."""

    def __init__(self, struct: str, name: str, schema: FieldSchema) -> None:
        super().__init__(struct)
        self._element = _element_plan(schema, struct, name)
        self.go_type = f"map[string]{self._element.go_type}"

    def decode(
        self, value: JsonValue, reuse: JsonValue, path: _Path, dropped: list[str]
    ) -> JsonValue:
        if not isinstance(value, dict):
            raise self.mismatch(value, path)
        old = reuse if isinstance(reuse, dict) else _NO_MEMBERS
        plan = self._element
        changes: list[tuple[str, JsonValue | _Absent]] = []
        for key, entry in value.items():
            before = old.get(key, _ABSENT)
            if before is entry or type(entry) is plan.plain:
                continue
            decoded = (
                plan.null()
                if entry is None
                else plan.decode(entry, _present(before), (path, (key,)), dropped)
            )
            if decoded is not entry:
                changes.append((key, decoded))
        return _changed(value, changes) if changes else value


def _plan(schema: FieldSchema, struct: str, name: str) -> _Plan:
    """The plan for one place of a schema, a member `name` of `struct`."""
    match schema.kind:
        case Kind.OBJECT:
            return _Struct(struct, schema)
        case Kind.LIST:
            return _List(struct, name, schema)
        case Kind.MAP:
            return _Map(struct, name, schema)
        case Kind.INTEGER | Kind.INT_OR_STRING as kind:
            return (_Integer if kind is Kind.INTEGER else _IntOrString)(struct, name)
        case kind:
            return _LEAVES[kind](struct)


def _element_plan(schema: FieldSchema, struct: str, name: str) -> _Plan:
    return _plan(schema.element, struct, name) if schema.element else _Plan(struct)


_LEAVES: dict[Kind, type[_Plan]] = {
    Kind.ANY: _Plan,
    Kind.BOOLEAN: _Boolean,
    Kind.QUANTITY: _Quantity,
    Kind.STRING: _String,
    Kind.TIME: _Time,
}
# Plans by the identity of their schema, which is kept here so that it stays unique.
_PLANS: dict[int, tuple[FieldSchema, _Struct]] = {}


def plan_of(schema: FieldSchema) -> _Struct:
    """The plan of a whole schema, made once: there is a schema for each minor, not more."""
    if id(schema) not in _PLANS:
        _PLANS[id(schema)] = (schema, _Struct(schema.struct, schema))
    return _PLANS[id(schema)][1]


def _present(value: JsonValue | _Absent) -> JsonValue:
    return None if isinstance(value, _Absent) else value


def _changed(value: JsonObject, changes: list[tuple[str, JsonValue | _Absent]]) -> JsonObject:
    new = dict(value)
    for name, change in changes:
        if isinstance(change, _Absent):
            del new[name]
        else:
            new[name] = change
    return new


def _with_elements(value: list[JsonValue], changes: list[tuple[int, JsonValue]]) -> list[JsonValue]:
    new = list(value)
    for position, change in changes:
        new[position] = change
    return new


def _render(path: _Path) -> str:
    """A path as the catalogue writes them: `spec.containers[0].env`, map keys in brackets too."""
    tokens: list[str] = []
    while path is not None:
        path, token = path
        match token:
            case str():
                tokens.append(f".{token}")
            case int():
                tokens.append(f"[{token}]")
            case (key,):
                tokens.append(f"[{key}]")
    return "".join(reversed(tokens)).removeprefix(".")


def _go_path(path: _Path) -> str:
    """The members on the way alone, as Go's messages have it."""
    names: list[str] = []
    while path is not None:
        path, token = path
        if isinstance(token, str):
            names.append(token)
    return ".".join(reversed(names))


def _number(value: JsonValue) -> str:
    """A number as it probably was spelled: a float that has no fraction was written with one."""
    spelled = encode_scalar(value)
    return f"{spelled}.0" if isinstance(value, float) and spelled.lstrip("-").isdigit() else spelled


def _quantity(value: JsonValue, path: _Path) -> JsonValue:
    """Source: k8s.io/apimachinery pkg/api/resource quantity.go Quantity.UnmarshalJSON."""
    message = _NOT_A_QUANTITY
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            served = served_quantity(value if isinstance(value, str) else encode_scalar(value))
        except QuantityError as error:
            message = str(error)
        else:
            return value if served == value else served
    got = json_type_name(value)
    raise MismatchError(
        DecodeError(path=_render(path), expected="quantity", got=got, message=message)
    )


def _time(value: str, path: _Path) -> str:
    """The time in UTC and whole seconds.

    Source: k8s.io/apimachinery pkg/apis/meta/v1 time.go Time.UnmarshalJSON and Time.MarshalJSON.
    """
    found = _TIME.fullmatch(value)
    if found is not None:
        with suppress(ValueError, OverflowError):  # the 30th of February, the year 0
            served = f"{_in_utc(value, found['offset']).isoformat()}Z"
            return value if served == value else served
    message = f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}"'
    error = DecodeError(path=_render(path), expected="RFC 3339 time", got="string", message=message)
    raise MismatchError(error)


def _in_utc(value: str, offset: str) -> datetime:
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])) if offset != "Z" else _UTC
    time = datetime.fromisoformat(value[:_SECONDS_END])
    return time + ahead if offset[0] == "-" else time - ahead
