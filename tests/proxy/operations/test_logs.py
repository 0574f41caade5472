import logging
import sys

import orjson
import pytest

from webhook_fuzz.proxy.operations.logs import LOGGER, LineFormatter, LogFormat

SECRET = "hunter2"


def record(name: str, message: str, *values: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, __file__, 1, message, values, None)
    made.__dict__.update(extra)
    return made


def test_a_line_of_json_has_the_fields_beside_the_message() -> None:
    made = record(LOGGER.name, "worker %d ended", 7, fields={"worker": 7})
    line = orjson.loads(LineFormatter(LogFormat.JSON).format(made))

    assert line["message"] == "worker 7 ended"
    assert (line["worker"], line["level"]) == (7, "error")


@pytest.mark.parametrize("form", LogFormat)
def test_an_error_nobody_foresaw_is_said_without_what_it_quotes(form: LogFormat) -> None:
    made = record(LOGGER.name, "it failed")
    try:
        int(SECRET)
    except ValueError:
        made.exc_info = sys.exc_info()
    line = LineFormatter(form).format(made)

    assert SECRET not in line
    assert "ValueError at test_logs.py:" in line
    assert "\n" not in line


@pytest.mark.parametrize("form", LogFormat)
def test_of_what_others_log_only_that_they_did_is_said(form: LogFormat) -> None:
    line = LineFormatter(form).format(record("asyncio", f"data_received(b'{SECRET}')"))

    assert SECRET not in line
    assert "asyncio" in line


def test_a_message_of_many_lines_is_one_line() -> None:
    line = LineFormatter(LogFormat.TEXT).format(record(f"{LOGGER.name}.x", "a\nb\x0bc"))

    assert line.endswith("error: a b c")
