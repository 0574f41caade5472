"""Are there other routes in the file?

Compared by what is in it, as kubelet swaps the files of a ConfigMap by links with times of long
ago. A file that cannot be used changes nothing: a proxy in the path of a cluster's admission goes
on with the routes it has, and says why.
"""

from collections.abc import Callable
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.routes import RouteTable


class WatchedRoutes:
    """The routes of a file, which `load` reads. Raises InputError where they cannot be used now."""

    def __init__(self, file: Path, load: Callable[[Path], RouteTable]) -> None:
        self._file, self._load = file, load
        self._seen = _content(file)
        self.table = load(file)
        self.problem: str | None = None

    def refresh(self) -> bool:
        """Whether there are other routes than before; never raises."""
        try:
            seen = _content(self._file)
        except InputError as error:
            self._seen, self.problem = b"", error.message
            return False
        if seen == self._seen:
            return False
        self._seen = seen  # of a broken file too, which is complained about once
        try:
            table = self._load(self._file)
        except InputError as error:
            self.problem = error.message
            return False
        self.problem = None
        changed = table != self.table
        self.table = table
        return changed


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}", hint="Give a file with routes."
        ) from error
