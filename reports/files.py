"""How is a run read from and written to disk?

A result is complete or it is not there: it is written beside its place and renamed. What is read
back is checked for its shape once, here, so that no renderer meets a surprise later.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import cast

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.reports.documents import without_depths
from webhook_fuzz.reports.results import SCHEMA_VERSION, RunResult
from webhook_fuzz.reports.schemas import find_mismatch

FILE_NAME = "run.json"
_MODE = 0o644  # pods are redacted before they get here: a report is there to be handed on
_RERUN = "Give the run.json that a run of this program wrote."


def load_run(path: Path) -> RunResult:
    """The run in a `run.json`, or in a folder that holds one.

    Raises InputError when it cannot be read, is not JSON, has another schema version or a wrong
    shape; the message says where.
    """
    file = path / FILE_NAME if path.is_dir() else path
    value = _read_json(file)
    version = value.get("schema") if isinstance(value, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file} is not a result of schema {SCHEMA_VERSION}"
            + (f" but of {version!r}" if isinstance(version, str) else ""),
            hint=_RERUN if version is None else "Render it with the release that wrote it.",
        )
    mismatch = find_mismatch(value)
    if mismatch:
        raise InputError(f"{file} does not have the shape of a result: {mismatch}", hint=_RERUN)
    return cast("RunResult", without_depths(value))


def _read_json(file: Path) -> JsonValue:
    try:
        value: JsonValue = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror or error}", hint=_RERUN
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON: {error}", hint=_RERUN) from error
    return value


def render_json(run: RunResult) -> str:
    """`run.json` as text.

    The json module and not orjson: a webhook may answer integers beyond 64 bits and strings with
    lone surrogates, and both must reach the reader. They are written as escapes, so the text is
    always valid UTF-8.
    """
    text = json.dumps(
        without_depths(cast("JsonValue", run)), indent=2, ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def save_run(run: RunResult, folder: Path) -> Path:
    """Writes `run.json` into `folder`, which is made if needed, and returns its path."""
    return save_text(render_json(run), folder / FILE_NAME)


def save_text(text: str, path: Path) -> Path:
    """Writes a file whole or not at all: to a neighbour first, then renamed over the old one.

    Raises InputError when the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(text.encode(), path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Choose another folder for the results.",
        ) from error
    return path


def _replace(data: bytes, path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_MODE)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
