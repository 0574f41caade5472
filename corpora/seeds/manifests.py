"""Which pods are in a user's manifests?

A folder or a file of what `kubectl apply -f` takes: pods, and workloads whose templates become the
pods their controllers would make (`workloads.py`). A team's own pods carry the labels, volumes and
sidecars its webhooks really meet, which no shipped pod can.
"""

import json
import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.seeds.workloads import Malformed, pods_of_manifest
from webhook_fuzz.corpora.seeds.yaml_documents import Document, read_yaml

MAX_FILE_BYTES = 8 * 2**20
"""More than any manifest written by people: an object in etcd may have 1.5 MiB."""
_SUFFIXES = (".yaml", ".yml", ".json")
_MANIFEST_HINT = "Give manifests as `kubectl apply -f` takes them, or leave the file out."


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
        return sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_pods(file: Path) -> Iterator[_FoundPod]:
    for document in _read_documents(file):
        if document.value is None:  # an empty document, as templates leave them behind
            continue
        place = f"{file}:{document.line}"
        if not isinstance(document.value, dict):
            raise InputError(
                f"{place}: not an object but of type {json_type_name(document.value)}",
                hint=_MANIFEST_HINT,
            )
        try:
            for name, pod in pods_of_manifest(document.value):
                yield _FoundPod(source=place, name=name, pod=pod)
        except Malformed as error:
            raise InputError(
                f"{place}: {_what(document.value)}: {error}", hint=_MANIFEST_HINT
            ) from error


def _what(manifest: JsonObject) -> str:
    return str(manifest.get("kind"))


def _read_documents(file: Path) -> Iterator[Document]:
    text = _read_text(file)
    is_json = file.suffix.lower() == ".json"
    for document in _read_json(text, file) if is_json else read_yaml(text, source=str(file)):
        try:
            orjson.dumps(document.value)
        except TypeError as error:  # half a surrogate pair, an integer of more than 64 bits
            raise InputError(
                f"{file}:{document.line}: cannot be sent as JSON: {error}", hint=_MANIFEST_HINT
            ) from error
        yield document


def _read_text(file: Path) -> str:
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(file.stat().st_mode):
            raise InputError(f"{file}: not a file or folder", hint=_MANIFEST_HINT)
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(file, error) from error
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"{file}: larger than {MAX_FILE_BYTES // 2**20} MiB",
            hint="Split the file, or give only the manifests with pods.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line}: not UTF-8 text", hint=_MANIFEST_HINT) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be read: {error.strerror or error}",
        hint="Give a manifest file or a folder of them that exists and may be read.",
    )


def _read_json(text: str, file: Path) -> Iterator[Document]:
    """One JSON value after the other, as kubectl reads them."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)
    at, line = _skip_blanks(text, 0), 1
    counted = 0
    while at < len(text):
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, at = cast("tuple[JsonValue, int]", decoder.raw_decode(text, at))
        except json.JSONDecodeError as error:
            raise InputError(f"{file}:{error.lineno}: {error.msg}", hint=_MANIFEST_HINT) from error
        except RecursionError as error:
            raise InputError(f"{file}:{line}: nested too deeply", hint=_MANIFEST_HINT) from error
        except ValueError as error:
            raise InputError(f"{file}:{line}: {error}", hint=_MANIFEST_HINT) from error
        yield Document(value=value, line=line)
        at = _skip_blanks(text, at)


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _refuse_constant(word: str) -> JsonValue:
    raise ValueError(f"{word} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number
