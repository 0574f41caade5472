"""What is kept on this machine of the configurations that are intercepted?

Each of them whole, as it was, and what was put in place of each clientConfig: a file an
interception, written before anything is changed and removed when everything is back. The
annotations in the cluster are enough to restore; the file is for the case that somebody damaged or
removed them.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.leases import Lease, parse_lease
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.proxy.interception.marks import Mark, checksum

SCHEMA: Final = "webhook-fuzz/interception/v1"
_PARTIAL: Final = ".partial"
# Writing a file takes no minute.
_STALE_SECONDS: Final = 60.0
_HINT: Final = "Give a file that webhook-fuzz wrote when it intercepted webhooks."


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One interception. `lease` is that of the process that made the file.

    `server` is the API server's URL; `originals` are whole objects, `marks` what was replaced.
    """

    session: str
    server: str
    lease: Lease
    originals: tuple[JsonObject, ...] = field(repr=False)
    marks: tuple[Mark, ...] = field(repr=False)

    @property
    def configurations(self) -> frozenset[str]:
        """Their names."""
        return frozenset(each.configuration for each in self.marks)

    @property
    def uids(self) -> frozenset[str]:
        """What no object of another cluster has."""
        return frozenset(text_at(object_at(each, "metadata"), "uid") for each in self.originals)


def save_backup(backup: Backup, folder: Path) -> Path:
    """Write it whole or not at all, for its owner only. Raises InputError where it cannot be."""
    file = folder / f"{backup.session}.json"
    partial = folder / f".{backup.session}.{os.getpid()}{_PARTIAL}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(partial, orjson.dumps(_document(backup), option=orjson.OPT_INDENT_2))
        partial.replace(file)
        _sync(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise InputError(
            f"{file}: no backup can be written: {error.strerror or error}",
            hint="Nothing was changed. Give another folder with --backup-dir.",
        ) from error
    return file


def load_backup(file: Path) -> Backup:
    """Read a file of ours. Raises InputError when it is none, or damaged."""
    try:
        document: JsonValue = orjson.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}", hint=_HINT) from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"{file}: is not JSON ({error})", hint=_HINT) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{file}: is no backup of an interception", hint=_HINT)
    said = document.pop("checksum", None)
    if said != checksum(document):
        raise InputError(
            f"{file}: was changed since it was written: its checksum is wrong",
            hint="What the configurations were is in it all the same, to be read by a person.",
        )
    lease = parse_lease(document.get("owner", ""), document.get("expires", ""))
    if lease is None:
        raise InputError(f"{file}: has no time until which it is valid", hint=_HINT)
    return Backup(
        session=text_at(document, "session"),
        server=text_at(document, "server"),
        lease=lease,
        originals=tuple(
            object_at(each, "object") for each in objects_at(document, "configurations")
        ),
        marks=tuple(_read_marks(document, lease)),
    )


def find_backups(folder: Path) -> Iterator[tuple[Path, Backup]]:
    """The files that can be read; those that cannot are left to whoever names them."""
    for file in sorted(folder.glob("*.json")):
        with contextlib.suppress(InputError):
            yield file, load_backup(file)


def remove_backup(file: Path) -> None:
    """Forget it. Raises InputError when it cannot be removed."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{file}: cannot be removed: {error.strerror or error}",
            hint="Everything in the cluster is restored; remove the file by hand.",
        ) from error


def remove_partial(folder: Path, *, now: float | None = None) -> None:
    """Remove what a crash left of a file that was just being written."""
    for partial in folder.glob(f".*{_PARTIAL}"):
        with contextlib.suppress(OSError):
            age = (time.time() if now is None else now) - partial.stat().st_mtime
            if age > _STALE_SECONDS or not _is_alive(partial):
                partial.unlink()


def _document(backup: Backup) -> JsonObject:
    by_name: dict[str, list[Mark]] = {}
    for mark in backup.marks:
        by_name.setdefault(mark.configuration, []).append(mark)
    configurations: list[JsonValue] = []
    for original in backup.originals:
        name = text_at(object_at(original, "metadata"), "name")
        marks = by_name.get(name, [])
        webhooks: list[JsonValue] = [
            {"webhook": each.webhook, "original": each.original, "ours": each.ours}
            for each in marks
        ]
        configurations.append({"name": name, "webhooks": webhooks, "object": original})
    document: JsonObject = {
        "schema": SCHEMA,
        "session": backup.session,
        "server": backup.server,
        "owner": backup.lease.owner,
        "expires": backup.lease.expires.isoformat(timespec="seconds"),
        "configurations": configurations,
    }
    return {**document, "checksum": checksum(document)}


def _read_marks(document: JsonObject, lease: Lease) -> Iterator[Mark]:
    for each in objects_at(document, "configurations"):
        for webhook in objects_at(each, "webhooks"):
            yield Mark(
                configuration=text_at(each, "name"),
                webhook=text_at(webhook, "webhook"),
                session=text_at(document, "session"),
                lease=lease,
                original=object_at(webhook, "original"),
                ours=object_at(webhook, "ours"),
            )


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    """The name of the file, too, is to survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(partial: Path) -> bool:
    number = partial.name.removesuffix(_PARTIAL).rpartition(".")[2]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
