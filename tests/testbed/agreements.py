"""How many trials end the same in the API server and by the product's rules?

Any disagreement fails the test, but for the few a test names and explains. Where an older API
server differs from the product's rules, which are the newest one's, that is data
(version_differences.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from testbed.comparisons import Difference, find_difference, find_difference_of_review
from testbed.oracles import Result, Trial, oracle
from testbed.progress import Progress
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane

SHOWN = 25
"""More disagreements than these tell nobody more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An API server to compare with, a folder for certificates, and where to say what came out."""

    plane: ControlPlane
    folder: Path
    progress: Progress

    @property
    def minor(self) -> Minor:
        """The version of the API server."""
        return parse_minor(self.plane.version)


async def check_agreement(
    bench: Bench, what: str, trials: Sequence[Trial], *, known: Mapping[str, str] | None = None
) -> list[Result]:
    """Carry out the trials on both sides, print the counts, and fail on any disagreement.

    `known` are disagreements by the name of the trial; each has to be there exactly as written.
    """
    assert len({trial.name for trial in trials}) == len(trials), "two trials have the same name"
    async with oracle(bench.plane, bench.folder) as server:
        results = await server.run(trials)
    minor = bench.minor
    outcomes = [find_difference(result, minor) for result in results]
    reviews = [find_difference_of_review(result, minor) for result in results]
    _print_counts(bench, what, results, (outcomes, reviews))
    differences = [found for found in (*outcomes, *reviews) if found is not None]
    expected = dict(known or {})
    unexpected = [
        str(found) for found in differences if expected.pop(found.trial, None) != found.what
    ]
    assert not unexpected, "\n".join([f"{len(unexpected)} disagreements", *unexpected[:SHOWN]])
    assert not expected, f"disagreements that are no more: {expected}"
    return results


def _print_counts(
    bench: Bench,
    what: str,
    results: Sequence[Result],
    differences: tuple[Sequence[Difference | None], Sequence[Difference | None]],
) -> None:
    kinds = Counter(result.outcome.kind for result in results)
    shares = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    outcomes, reviews = (found.count(None) for found in differences)
    bench.progress(
        f"{what} on {bench.plane.version}: {len(results)} cases ({shares}); "
        f"{outcomes} outcomes and {reviews} reviews agree"
    )


def raw_document(document: object) -> JsonObject:
    """A pod that carries any JSON document, at RAW_PREFIX.

    `fieldsV1` of managed fields is the one place of a pod whose JSON the API server keeps as it
    is: patches can be tried there on documents of any shape.
    """
    entry = {
        "manager": "differential",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"document": document},
    }
    pod: JsonObject = orjson.loads(
        orjson.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"managedFields": [entry]}})
    )
    return pod


RAW_PREFIX = "/metadata/managedFields/0/fieldsV1/document"
