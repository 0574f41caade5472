"""What do a webhook's matchConditions say of a request?

They are CEL, and CEL is left to Google's own implementation: cel-expr-python binds cel-cpp, tells
compilation errors from evaluation errors, and knows optional chaining and the string functions of
the API server (0.1.3 of June 2026, Apache-2.0, wheels for CPython 3.11 to 3.14 on glibc, macOS on
ARM and Windows, none for musl). cel-python cannot compare an object with null or an integer with a
fraction; common-expression-language counts bytes in `size()`; neither parses `.?`. What the library
lacks (authorizer, quantities, IPs, URLs, the list functions, two-variable macros) does not compile
and is left to the server, and so is whatever depends on something we do not know: an undecided
condition costs a dry run, a wrong answer costs an outage.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/matchconditions/matcher.go,
pkg/admission/plugin/cel/compile.go and condition.go, pkg/cel/environment/base.go.
"""

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes
from webhook_fuzz.fuzzer.apiserver.reviews import as_written

# What a request has that is not given to us, and functions whose results differ by version.
_SERVER_ONLY: Final = {
    "authorizer": "it asks the API server's authorizer",
    "namespaceObject": "it reads the Namespace",
    "managedFields": "the API server writes managedFields",
    "options": "it reads the request's options",
    "format": "format() differs between CEL libraries",
    "quote": "quote() differs between CEL libraries",
    "reverse": "reverse() is not in every API server",
    "google": "it uses protocol buffer types",
}
_USER_MEMBERS: Final = ("uid", "groups", "extra")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LOOP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
# The API server stops an expression at 1,000,000 units of cost (PerCallLimit); a step costs a few.
_MOST_STEPS: Final = 50_000
_LONGEST_TEXT: Final = 65_536
# Errors that CEL defines, in cel-cpp's words. A missing overload may be the library's gap.
_DEFINED_ERRORS: Final = (
    "Key not found in map",
    "Index error",
    "divide by zero",
    "modulus by zero",
    "integer overflow",
    "optional.none() dereference",
    "<string>.substring(",
)
# A member of what is no map: an error, but for cel-go's has(), which is false of a null.
_NO_MAP: Final = "Applying SELECT to non-message type"
# Without the library's message: it may quote values of the object.
_NOT_EVALUATED: Final = "it could not be evaluated here"
_INSTALL: Final = "matchConditions need the package cel-expr-python"


class Verdict(StrEnum):
    """What one condition says."""

    TRUE = "true"
    FALSE = "false"
    ERROR = "error"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionResult:
    """One condition by name, and for an error or an undecided one why, as part of a sentence."""

    name: str
    verdict: Verdict
    why: str = ""


def evaluate_conditions(
    conditions: Sequence[JsonObject], attributes: Attributes
) -> tuple[ConditionResult, ...]:
    """Every condition of a webhook, in order: a later false outweighs an earlier error."""
    return tuple(_evaluate(condition, attributes) for condition in conditions)


def _evaluate(condition: JsonObject, attributes: Attributes) -> ConditionResult:
    name, expression = str(condition.get("name", "")), condition.get("expression")
    if not isinstance(expression, str):
        return ConditionResult(name=name, verdict=Verdict.UNDECIDED, why="it has no expression")
    verdict, why = _decide(expression, attributes)
    return ConditionResult(name=name, verdict=verdict, why=why)


def _decide(expression: str, attributes: Attributes) -> tuple[Verdict, str]:
    obstacle = _obstacle(expression, attributes)
    if obstacle is not None:
        return Verdict.UNDECIDED, obstacle
    program = _compile(expression)
    if isinstance(program, str):
        return Verdict.UNDECIDED, program
    try:
        result = program.eval(data=_variables(attributes))
        value = result.value()
    except (RuntimeError, ValueError, TypeError, OverflowError):
        return Verdict.UNDECIDED, _NOT_EVALUATED
    if isinstance(value, bool):
        return (Verdict.TRUE if value else Verdict.FALSE), ""
    said = str(value)
    defined = (*_DEFINED_ERRORS, *([] if "has" in _WORD.findall(expression) else [_NO_MAP]))
    if result.type().name() == _error_type() and any(error in said for error in defined):
        return Verdict.ERROR, _one_line(said)
    return Verdict.UNDECIDED, _NOT_EVALUATED


def _obstacle(expression: str, attributes: Attributes) -> str | None:
    """Why the answer could be another one on the server, or None.

    Words inside of string literals count too: that errs on the safe side.
    """
    words = set(_WORD.findall(expression))
    for word in sorted(words & _SERVER_ONLY.keys()):
        return _SERVER_ONLY[word]
    for word in sorted(words & attributes.unsettled):
        return f"{word} may still change before webhooks see it"
    if "userInfo" in words:
        if not attributes.user.get("username"):
            return "it reads the user, who is not known here"
        for member in _USER_MEMBERS:
            if member in words and member not in attributes.user:
                return f"it reads the user's {member}, which is not known here"
    if "creationTimestamp" in words and attributes.operation == "CREATE":
        return "API servers differ in how a new object's creationTimestamp looks"
    return _cost_obstacle(expression, attributes)


def _cost_obstacle(expression: str, attributes: Attributes) -> str | None:
    """Source: k8s.io/apiserver pkg/apis/cel/config.go PerCallLimit."""
    sizes, texts = [1], [0]
    for each in (attributes.object, attributes.old_object):
        for value in _values(each):
            (texts if isinstance(value, str) else sizes).append(len(value))
    loops = len(_LOOP.findall(expression))
    if max(sizes) ** loops > _MOST_STEPS or max(texts) > _LONGEST_TEXT:
        return "the object is so large that the API server may give up on the cost of it"
    return None


def _values(value: JsonValue) -> Iterator[str | list[JsonValue] | JsonObject]:
    if isinstance(value, str | list | dict):
        yield value
    if isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)


def _variables(attributes: Attributes) -> dict[str, JsonValue]:
    return {
        "object": _as_seen(attributes.object, attributes),
        "oldObject": _as_seen(attributes.old_object, attributes),
        "request": _request(attributes),
    }


def _as_seen(object_: JsonObject | None, attributes: Attributes) -> JsonObject | None:
    """The object as the API server converts it: Go writes some members even when empty."""
    if attributes.kind != "Pod":
        return object_
    return as_written(object_, Minor(1, 34))


def _request(attributes: Attributes) -> JsonObject:
    """`request`; empty members are left out, so that reading them is an error.

    Source: condition.go CreateAdmissionRequest; k8s.io/api admission/v1 AdmissionRequest (tags).
    """
    group, version = attributes.group, attributes.version
    kind: JsonObject = {"group": group, "version": version, "kind": attributes.kind}
    resource: JsonObject = {"group": group, "version": version, "resource": attributes.resource}
    user: JsonObject = {}
    for key, value in attributes.user.items():
        if value:
            user[key] = value  # type: ignore[assignment]  # a TypedDict's values are objects
    request: JsonObject = {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "operation": attributes.operation,
        "userInfo": user,
        "dryRun": attributes.dry_run,
    }
    if attributes.subresource:
        request["subResource"] = request["requestSubResource"] = attributes.subresource
    if attributes.name:
        request["name"] = attributes.name
    if attributes.namespace:
        request["namespace"] = attributes.namespace
    return request


@cache
def _environment() -> Any:  # noqa: ANN401 - the package has no usable types
    """The API server's environment as far as the library has it; None where it is missing.

    Source: base.go baseOpts (OptionalTypes, ext.Strings); compile.go createEnvForOpts.
    """
    try:
        cel: Any = importlib.import_module("cel_expr_python.cel")
        optional: Any = importlib.import_module("cel_expr_python.ext.ext_optional")
        strings: Any = importlib.import_module("cel_expr_python.ext.ext_strings")
    except ImportError:
        return None
    names = ("object", "oldObject", "request")
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN),
        extensions=[optional.ExtOptional(), strings.ExtStrings()],
    )


@cache
def _error_type() -> str:
    cel: Any = importlib.import_module("cel_expr_python.cel")
    return str(cel.Type.ERROR.name())


@lru_cache(maxsize=4096)
def _compile(expression: str) -> Any:  # noqa: ANN401 - as above
    """The program, or why there is none."""
    environment = _environment()
    if environment is None:
        return _INSTALL
    try:
        return environment.compile(expression)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"it could not be compiled here ({_one_line(str(error))})"


def _one_line(text: str) -> str:
    return " ".join(text.replace("\n", " ").split())[:160]
