"""What does a replay add to the result of a run?

What was sent again is judged as in any run; which of the recorded traffic that was, and why a
webhook may not have acted on it, is said here: in `replay.json` and in the sentences of `run.json`.
"""

import json
from collections.abc import Mapping
from typing import Final, TypedDict

from webhook_fuzz.fuzzer.recorded.replay_facts import ReplayFacts
from webhook_fuzz.reports.results import RunResult

REPLAY_FILE_NAME: Final = "replay.json"
SCHEMA_VERSION: Final = "webhook-fuzz/replay/v1"


class SampleResult(TypedDict):
    """One review that was sent: the recorded exchange it is, and how many it stands for.

    `answered` is what the webhook did when it was recorded: `patched`, `allowed`, `denied` or
    `failed`.
    """

    case: str
    recorded: str
    stands_for: int
    answered: str


class ReplayResult(TypedDict):
    """`replay.json`. `read` counts recorded exchanges, `damaged` places that could not be read.

    `sent_as_recorded` counts reviews, `enriched` the pods that were also sent with new fields;
    `patched_then` and `patched_now` the reviews answered with a patch, when they were recorded and
    as they were sent again. `left_out` counts what was not sent by the reason.
    """

    schema: str
    read: int
    damaged: int
    sent_as_recorded: int
    asked_to_enrich: bool
    enriched: int
    patched_then: int
    patched_now: int
    left_out: dict[str, int]
    samples: list[SampleResult]


def fold_replay(
    facts: ReplayFacts, *, read: int, damaged: int, left_out: Mapping[str, int]
) -> ReplayResult:
    """The document, once the replay is over."""
    return {
        "schema": SCHEMA_VERSION,
        "read": read,
        "damaged": damaged,
        "sent_as_recorded": facts.sent,
        "asked_to_enrich": facts.asked_to_enrich,
        "enriched": facts.enriched,
        "patched_then": facts.patched_then,
        "patched_now": facts.patched_now,
        "left_out": {**left_out, **facts.not_enriched},
        "samples": [
            {
                "case": f"as-recorded-{sample.number}",
                "recorded": sample.id,
                "stands_for": sample.count,
                "answered": sample.acted,
            }
            for sample in facts.samples
        ],
    }


def describe_replay(run: RunResult, result: ReplayResult) -> None:
    """Replace the sentence about a webhook that was not exercised, in `run` itself.

    The engine advises triggers; recorded pods carry theirs, and something else is in the way.
    """
    for webhook in run["webhooks"]:
        if webhook["verdict"] == "not-exercised":
            webhook["sentence"] = _sentence(result)


def _sentence(result: ReplayResult) -> str:
    sent, then, now = result["sent_as_recorded"], result["patched_then"], result["patched_now"]
    if now and not result["asked_to_enrich"]:
        return (
            f"It patched {now} of {sent} recorded reviews as they were, and nothing was found; no "
            "new field was tried. Leave --no-enrich out to try them."
        )
    if now:
        return (
            f"It patched {now} of {sent} recorded reviews as they were, but none with new fields: "
            "nothing is known of what becomes of those."
        )
    if then:
        return (
            f"It patched {then} of {sent} reviews when they were recorded and none of them now: a "
            "value it acts on was redacted, or it is configured differently here. Record such "
            "pods with --record-raw, where the recording is safe, or give its trigger to `run`."
        )
    return (
        f"It patched none of {sent} recorded reviews, neither then nor now: nothing is known about "
        "it. Record traffic on which it acts."
    )


def render_replay_json(result: ReplayResult) -> str:
    """`replay.json` as text."""
    return json.dumps(result, indent=2, ensure_ascii=True) + "\n"
