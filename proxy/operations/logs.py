"""What does the proxy write down of its own doings?

One line a happening, to standard error: text for people, or one JSON object for machines. Pods hold
secrets, so a line never has a body, a header or a value in it. Our own messages keep to that by
what they say. Of errors nobody foresaw only the kind and the place are written, since their
messages may quote what they failed at, and of other libraries' messages only that there was one.
"""

import logging
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final

import orjson

from webhook_fuzz.corpora.recordings.sinks import Sink, SinkFactory

LOGGER: Final = logging.getLogger("webhook_fuzz.proxy")
"""Where everything in the proxy logs; values that machines may want go to `extra={"fields": …}`."""
_OURS: Final = "webhook_fuzz"
"""Sinks are ours as well: that a disk is full is for whoever reads the proxy's log."""
_PLACES: Final = 8
_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class LogFormat(StrEnum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"


class LineFormatter(logging.Formatter):
    """One line a record, whatever is in it."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """The line, without an end."""
        message = self._say(record)
        if self._form is LogFormat.TEXT:
            moment = time.strftime("%H:%M:%S", time.localtime(record.created))
            return f"{moment} {record.levelname.lower()}: {message}"
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "message": message,
            "process": record.process,
            **_fields(record),
        }
        return orjson.dumps(line, default=str).decode()

    def _say(self, record: logging.LogRecord) -> str:
        ours = record.name.startswith(f"{_OURS}.")
        said = record.getMessage() if ours else f"an error was logged by {record.name}"
        said = " ".join(said.split())
        if record.exc_info and record.exc_info[1] is not None:
            return f"{said}: {describe_error(record.exc_info[1])}"
        return said


def describe_error(error: BaseException) -> str:
    """What kind of error, and where it was raised; never its message."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__} at {' > '.join(places) or 'an unknown place'}"


def start_logging(form: LogFormat, *, level: int = logging.INFO) -> None:
    """Write to standard error from now on, in this process, and nothing to anywhere else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    logging.getLogger(_OURS).setLevel(level)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSinkFactory:
    """Opens a sink in a process whose log lines look like ours."""

    factory: SinkFactory
    form: LogFormat

    def __call__(self) -> Sink:
        """The sink. Raises InputError where it cannot be opened."""
        start_logging(self.form)
        return self.factory()


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(record, "fields", {})
    return found
