"""Which realistic pods are shipped to put probes on?

A seed pod is a pod exactly as a mutating webhook receives it in `request.object` on CREATE: after
the API server's defaulting and its built-in admission plugins (the service account's token
volume, the default tolerations, the priority), before it has a uid or a status. Hand-patching
webhooks fail on undefaulted pods for no fault of theirs, so the shipped ones were captured from a
kube-apiserver 1.37 by a webhook, without `managedFields`.

They use what every cluster has (namespace and service account `default`, no runtime or priority
class of its own), so that a server-side dry run accepts them anywhere. Fields newer than 1.23 are
only where they make the seed what it is (native sidecars, resource claims). The first of
`containers` is the application and is named `app`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypedDict, cast

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.yaml_documents import read_yaml

_SMALLEST = "minimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPod:
    """A base pod: never changed in place, its users copy it.

    `because` is one sentence for people: where it comes from, what it is there for.
    """

    name: str
    because: str
    namespace: str
    pod: JsonObject


class _SeedEntry(TypedDict):
    name: str
    because: str
    namespace: str
    pod: JsonObject


def load_shipped_seeds() -> tuple[SeedPod, ...]:
    """All shipped seed pods: the smallest first, the others by name."""
    return tuple(_shipped().values())


def shipped_seed(name: str) -> SeedPod:
    """One shipped seed pod: "minimal", "bare", ... Raises KeyError for a name there is not."""
    return _shipped()[name]


@cache
def _shipped() -> Mapping[str, SeedPod]:
    folder = resources.files(str(__package__)).joinpath("data")
    seeds = [
        _read_seed(file.read_text("utf-8"), file.name)
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    ]
    seeds.sort(key=lambda seed: (seed.name != _SMALLEST, seed.name))
    return {seed.name: seed for seed in seeds}


def _read_seed(text: str, file_name: str) -> SeedPod:
    (document,) = read_yaml(text, source=file_name)
    entry = cast("_SeedEntry", document.value)
    return SeedPod(
        name=entry["name"],
        because=entry["because"],
        namespace=entry["namespace"],
        pod=entry["pod"],
    )
