"""How does a probe's value become unlike every other container's?

A webhook that shifts list elements moves values between containers without losing one: only values
that differ from container to container show it. Fragments of probes carry placeholders, filled
here with the container's number in the pod (see `corpora/probes/loading.py` for their meaning).
"""

import re

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_WHOLE = re.compile(r"\$\{(int|pick|keep):([^}]*)\}")


def fill(fragment: JsonObject, number: int) -> JsonObject:
    """A copy of a fragment with its placeholders filled for container `number` of the pod.

    `${keep:…}` stays a string with its marker: merging decides (see `kept_default`).
    """
    return {name: _fill_value(value, number) for name, value in fragment.items()}


def kept_default(value: JsonValue) -> str | None:
    """The default inside a `${keep:…}` placeholder; None for any other value."""
    if isinstance(value, str) and value.startswith("${keep:"):
        return value.removeprefix("${keep:").removesuffix("}")
    return None


def _fill_value(value: JsonValue, number: int) -> JsonValue:
    match value:
        case dict():
            return fill(value, number)
        case list():
            return [_fill_value(element, number) for element in value]
        case str() if "${" in value:
            return _fill_text(value, number)
        case _:
            return value


def _fill_text(text: str, number: int) -> JsonValue:
    found = _WHOLE.fullmatch(text)
    if found is None:
        return text.replace("${c}", f"c{number}")
    if found[1] == "int":
        return int(found[2]) + number
    if found[1] == "pick":
        choices = found[2].split("|")
        return choices[number % len(choices)]
    return text
