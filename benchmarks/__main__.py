"""Which figures are measured, and what is shown of them?

The table goes to standard output, what is being measured to standard error. The exit code is 0
whether goals are met or not: a busy machine is no fault.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from benchmarks import (
    examining,
    judging,
    packing,
    patches,
    proxying,
    recorded,
    recordings,
    starting,
    sweeping,
)
from benchmarks.measuring import Effort, Figure
from benchmarks.rendering import render_json, render_machine, render_table

_Measuring: TypeAlias = Callable[[Effort], Iterator[Figure]]
_FIGURES: Mapping[str, _Measuring] = {
    "patches": patches.measure,
    "judging": judging.measure,
    "packing": packing.measure,
    "sweeping": sweeping.measure,
    "starting": starting.measure,
    "examining": examining.measure,
    "proxying": proxying.measure,
    "recorded": recorded.measure,
    "recordings": recordings.measure,
}


def _tick() -> None:
    print(".", end="", file=sys.stderr, flush=True)


_FULL = Effort(rounds=9, seconds=0.2, tick=_tick)
_QUICK = Effort(rounds=1, seconds=0.0, tick=_tick, triggers=2)


def main() -> None:
    """Measure what is asked for and show it."""
    options = _parse_arguments()
    figures: list[Figure] = []
    for name in options.figures or _FIGURES:
        print(f"{name} ", end="", file=sys.stderr, flush=True)
        figures += _FIGURES[name](_QUICK if options.quick else _FULL)
        print(file=sys.stderr, flush=True)
    print(f"{render_machine()}\n\n{render_table(figures)}\n")
    print("Medians (least\N{EN DASH}most); ratio is ours divided by the other, round by round.")
    if options.json is not None:
        options.json.write_bytes(render_json(figures, quick=options.quick))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, each figure beside another program's."
    )
    known = ", ".join(_FIGURES)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{known}; all unless given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    parser.add_argument(
        "--quick", action="store_true", help="only show that everything runs; figures mean nothing"
    )
    options = parser.parse_args()
    for name in options.figures:
        if name not in _FIGURES:
            parser.error(f"there is no figure {name!r}: known are {known}")
    return options


if __name__ == "__main__":
    main()
