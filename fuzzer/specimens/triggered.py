"""Which specimen does nothing until a pod asks for it?"""

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.specimens.replies import Patch, patch_once
from webhook_fuzz.fuzzer.specimens.round_trips import typed_round_trip

TRIGGER = "specimen.example/inject"
_MINOR = Minor(1, 27)


def _needs_trigger(pod: JsonObject) -> Patch:
    metadata = pod.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    asked = isinstance(annotations, dict) and annotations.get(TRIGGER) == "true"
    return typed_round_trip(_MINOR)(pod) if asked else []


SPECIMENS = (
    Specimen(
        name="needs-trigger",
        description="Acts only on pods annotated for it; then it is typed-round-trip-1.27.",
        program=patch_once(_needs_trigger),
        expected_codes=frozenset({"WF101", "WF102", "WF103", "WF108", "WF205"}),
        loses_since=_MINOR,
        trigger_annotations={TRIGGER: "true"},
    ),
)
