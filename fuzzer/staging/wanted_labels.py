"""Which labels must a pod carry for an objectSelector to select it, and a namespace for all?

A webhook is only ever sent pods its selectors select: only such pods are sent to it directly, and
the temporary namespace gets the labels that bring the webhooks of the cluster's namespaces in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.fuzzer.apiserver.selectors import SelectorError, match_selector, object_labels

NAME_LABEL = "kubernetes.io/metadata.name"


def find_labels(selector: JsonObject) -> dict[str, str] | None:
    """The fewest labels the selector selects; None where no labels would do, or it is invalid."""
    labels: dict[str, str] = {}
    given = selector.get("matchLabels")
    for key, value in (given if isinstance(given, dict) else {}).items():
        labels[key] = str(value)
    for key, value in map(_wish, _expressions(selector)):
        if value is not None:
            labels.setdefault(key, value)
    try:
        return labels if match_selector(selector, labels) else None
    except SelectorError:
        return None


def join_labels(selectors: Iterable[JsonObject]) -> dict[str, str]:
    """Labels that as many of the selectors as possible select, the first ones before the others.

    The name a namespace is given by the API server is not among them.
    """
    joined: dict[str, str] = {}
    for selector in selectors:
        wanted = find_labels(selector)
        if wanted is None or NAME_LABEL in wanted:
            continue
        both = {**wanted, **joined}
        if all(both[key] == value for key, value in wanted.items()):
            joined = both
    return joined


def select_seeds(selector: JsonObject, seeds: Sequence[SeedPod]) -> tuple[SeedPod, ...]:
    """The seeds as the selector selects them: with the labels it wants, or left out."""
    wanted = find_labels(selector)
    if wanted is None:
        return ()
    labelled = (replace(seed, pod=_with_labels(seed.pod, wanted)) for seed in seeds)
    return tuple(seed for seed in labelled if match_selector(selector, object_labels(seed.pod)))


def _expressions(selector: JsonObject) -> list[JsonObject]:
    given = selector.get("matchExpressions")
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _wish(expression: JsonObject) -> tuple[str, str | None]:
    """The label an expression asks for; NotIn and DoesNotExist ask for none."""
    key, values = str(expression.get("key", "")), expression.get("values")
    match expression.get("operator"):
        case "Exists":
            return key, "true"
        case "In":
            first: JsonValue = values[0] if isinstance(values, list) and values else ""
            return key, str(first)
        case _:
            return key, None


def _with_labels(pod: JsonObject, wanted: dict[str, str]) -> JsonObject:
    if not wanted:
        return pod
    metadata = pod.get("metadata")
    members: JsonObject = metadata if isinstance(metadata, dict) else {}
    labels = members.get("labels")
    mine: JsonObject = labels if isinstance(labels, dict) else {}
    return {**pod, "metadata": {**members, "labels": {**mine, **wanted}}}
