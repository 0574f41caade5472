"""What can still be claimed of an exchange whose values were redacted?

Equal values have equal tokens, so that what was lost, moved or changed is still seen; not what was
inside of a value, nor of which type it was. What rests on that is not claimed.
"""

from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Absent, value_at
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError
from webhook_fuzz.fuzzer.apiserver.patches import PatchError
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation

# As `corpora/recordings/redacting.py` and `corpora/maskings.py` write tokens.
_REDACTED: Final = "redacted-"
_ANNOTATION: Final = "metadata.annotations{}"


def is_claimed(finding: Finding, observation: Observation) -> bool:
    """Whether a finding stands although values were redacted."""
    match finding.code:
        case "WF107":
            # Whether an annotation that holds JSON says all it said before is not seen.
            return finding.field != _ANNOTATION or not _is_redacted(finding.before)
        case "WF005":
            refused = observation.patched
            operation = refused.operation if isinstance(refused, PatchError) else None
            return operation is None or not _is_redacted(operation.get("value"))
        case "WF006":
            error = observation.decoded
            if not isinstance(error, DecodeError):
                return True
            return not _is_redacted(_at(observation.patched, error.path))
        case _:
            return True


def _at(patched: JsonObject | PatchError | None, path: str) -> JsonValue | Absent:
    """The value decoding stopped at; all of the object where the path is not a keyed one."""
    if not isinstance(patched, dict):
        return None
    try:
        found = value_at(patched, path)
    except InputError:
        return patched
    return patched if isinstance(found, Absent) else found


def _is_redacted(value: JsonValue | Absent) -> bool:
    match value:
        case str():
            return _REDACTED in value
        case list():
            return any(map(_is_redacted, value))
        case dict():
            return any(map(_is_redacted, value.values()))
        case _:
            return False
