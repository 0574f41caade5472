"""What does a user mean by `64MiB` or `7d`?"""

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

_SIZES: Final = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)

if TYPE_CHECKING:  # generic from click 8.2 on only
    _SizeType = click.ParamType[int]
    _DurationType = click.ParamType[float]
else:
    _SizeType = _DurationType = click.ParamType


class _Size(_SizeType):
    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        found = _NUMBER.fullmatch(str(value))
        if found is None or found[2] not in _SIZES:
            self.fail(f"{value!r} is no size; write 64MiB or 10GiB", param, ctx)
        return int(float(found[1]) * _SIZES[found[2]])


class _Duration(_DurationType):
    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = _NUMBER.fullmatch(str(value))
        if found is None or found[2] not in _SECONDS:
            self.fail(f"{value!r} is no duration; write 90s, 15m, 1h or 7d", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


class _Moment(_DurationType):
    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = _NUMBER.fullmatch(str(value))
        if found is not None and found[2] in _SECONDS and found[2]:
            return time.time() - float(found[1]) * _SECONDS[found[2]]
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2026-01-31T12:00Z, or 15m ago as 15m", param, ctx
            )
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


SIZE: Final = _Size()
"""Bytes: `64MiB`, `10GiB`, `1000000`; the value is an int."""
DURATION: Final = _Duration()
"""Seconds: `90s` or `90`, `15m`, `1h`, `7d`; the value is a float."""
MOMENT: Final = _Moment()
"""Seconds since 1970: `2026-01-31T12:00Z`, UTC unless it says otherwise, or `15m`: so long ago."""
