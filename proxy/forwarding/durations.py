"""How long will the API server wait for this answer?

It says so in the query, as `?timeout=10s`: a Go duration.
Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go (`r.Timeout`),
k8s.io/client-go rest/request.go (`URL`), Go time.ParseDuration.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,  # micro sign
    "\u03bcs": 1e-6,  # Greek letter mu
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART: Final = re.compile(
    r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|\u00b5s|\u03bcs|ms|s|m|h)"
)
# The API server waits 34 s for all webhooks together, and 30 s at most for each.
_LONGEST: Final = 3600.0


def parse_duration(text: str) -> float | None:
    """Seconds of a positive Go duration (`1m30s`, `500ms`), None where it is none."""
    at, seconds = 0, 0.0
    text = text.removeprefix("+")
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        seconds += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    return min(seconds, _LONGEST) if seconds > 0 else None


def timeout_of(target: str) -> float | None:
    """Seconds of the query's `timeout`, None where it has none that makes sense."""
    _, _, query = target.partition("?")
    if "timeout" not in query:
        return None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "timeout":
            return parse_duration(unquote_plus(value))
    return None
