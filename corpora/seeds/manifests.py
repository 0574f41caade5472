"""Which pods are in a user's manifests?

A folder or a file of what `kubectl apply -f` takes: pods, and workloads whose templates become the
pods their controllers would make (`workloads.py`). A team's own pods carry the labels, volumes and
sidecars its webhooks really meet, which no shipped pod can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, json_type_name
from webhook_fuzz.corpora.manifest_texts import (
    MANIFEST_HINT,
    SUFFIXES,
    read_json_documents,
    read_manifest_text,
    unreadable,
)
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.seeds.workloads import Malformed, pods_of_manifest
from webhook_fuzz.corpora.seeds.yaml_documents import Document, read_yaml

MAX_FILE_BYTES = 8 * 2**20
"""More than any manifest written by people: an object in etcd may have 1.5 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoundPod:
    source: str
    name: str
    pod: JsonObject


def load_pod_manifests(path: Path) -> tuple[SeedPod, ...]:
    """The pods of one manifest file, or of the *.yaml, *.yml and *.json files of a folder.

    Subfolders are not read, as by kubectl; kinds without pods are skipped. The pods are as a client
    sends them: not defaulted. Names are unique: `deployment/web`, then `deployment/web#2`.
    Raises InputError, naming file and line, for what cannot be read and where no pod is found.
    """
    found = [pod for file in _manifest_files(path) for pod in _read_pods(file)]
    if not found:
        raise InputError(
            f"{path}: there is no pod in it",
            hint="Pods are read from Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, "
            "CronJob, ReplicationController, PodTemplate and List; subfolders are not read.",
        )
    taken: dict[str, int] = {}
    return tuple(_seed(pod, taken) for pod in found)


def _seed(found: _FoundPod, taken: dict[str, int]) -> SeedPod:
    number = taken[found.name] = taken.get(found.name, 0) + 1
    metadata = cast("JsonObject", found.pod["metadata"])
    return SeedPod(
        name=found.name if number == 1 else f"{found.name}#{number}",
        because=f"It is yours: {found.name} in {found.source}.",
        namespace=str(metadata["namespace"]),
        pod=found.pod,
    )


def _manifest_files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        return sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise unreadable(path, error) from error


def _read_pods(file: Path) -> Iterator[_FoundPod]:
    for document in _read_documents(file):
        if document.value is None:  # an empty document, as templates leave them behind
            continue
        place = f"{file}:{document.line}"
        if not isinstance(document.value, dict):
            raise InputError(
                f"{place}: not an object but of type {json_type_name(document.value)}",
                hint=MANIFEST_HINT,
            )
        try:
            for name, pod in pods_of_manifest(document.value):
                yield _FoundPod(source=place, name=name, pod=pod)
        except Malformed as error:
            raise InputError(
                f"{place}: {_what(document.value)}: {error}", hint=MANIFEST_HINT
            ) from error


def _what(manifest: JsonObject) -> str:
    return str(manifest.get("kind"))


def _read_documents(file: Path) -> Iterator[Document]:
    text = read_manifest_text(file, most=MAX_FILE_BYTES)
    read = read_json_documents if file.suffix.lower() == ".json" else read_yaml
    for document in read(text, source=str(file)):
        try:
            orjson.dumps(document.value)
        except TypeError as error:  # half a surrogate pair, an integer of more than 64 bits
            raise InputError(
                f"{file}:{document.line}: cannot be sent as JSON: {error}", hint=MANIFEST_HINT
            ) from error
        yield document
