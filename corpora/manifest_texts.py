"""What is written in a manifest file, as text and as JSON values?

A file of what `kubectl apply -f` takes comes from anybody: it may be a pipe, 2 GB long, or no text
at all. What cannot be read is said with file and line.
"""

import json
import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.seeds.yaml_documents import Document

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What `kubectl apply -f DIR` reads of a folder."""
MANIFEST_HINT: Final = "Give manifests as `kubectl apply -f` takes them, or leave the file out."


def read_manifest_text(file: Path, *, most: int) -> str:
    """The text of a regular file of at most `most` bytes. Raises InputError for anything else."""
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(file.stat().st_mode):
            raise InputError(f"{file}: not a file or folder", hint=MANIFEST_HINT)
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise unreadable(file, error) from error
    return decode_manifest(content, source=str(file), most=most)


def decode_manifest(content: bytes, *, source: str, most: int) -> str:
    """UTF-8 text, without a byte order mark. Raises InputError, with the line, for what is none."""
    if len(content) > most:
        raise InputError(
            f"{source}: larger than {most // 2**20} MiB",
            hint="Split the file, or give only the manifests that matter here.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{source}:{line}: not UTF-8 text", hint=MANIFEST_HINT) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a path that the operating system does not let us read."""
    return InputError(
        f"{path}: cannot be read: {error.strerror or error}",
        hint="Give a manifest file or a folder of them that exists and may be read.",
    )


def read_json_documents(text: str, *, source: str) -> Iterator[Document]:
    """One JSON value after the other, as kubectl reads them. Raises InputError with the line."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)
    at, line = _skip_blanks(text, 0), 1
    counted = 0
    while at < len(text):
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, at = cast("tuple[JsonValue, int]", decoder.raw_decode(text, at))
        except json.JSONDecodeError as error:
            message = f"{source}:{error.lineno}: {error.msg}"
            raise InputError(message, hint=MANIFEST_HINT) from error
        except RecursionError as error:
            raise InputError(f"{source}:{line}: nested too deeply", hint=MANIFEST_HINT) from error
        except ValueError as error:
            raise InputError(f"{source}:{line}: {error}", hint=MANIFEST_HINT) from error
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
