import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FIGURES = ("patches", "judging", "packing", "sweeping", "starting", "examining")
"""All but `proxying`, which needs nginx and wrk on the machine."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One quick run of everything: what it showed, and what it wrote for machines."""

    shown: str
    written: str

    @property
    def figures(self) -> list[dict[str, Any]]:
        figures: list[dict[str, Any]] = json.loads(self.written)["figures"]
        return figures


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    results = tmp_path_factory.mktemp("benchmarks") / "results.json"
    command = [sys.executable, "-m", "benchmarks", *FIGURES, "--quick", "--json", str(results)]
    shown = subprocess.run(  # noqa: S603 - this Python, our own module
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout
    return Run(shown=shown, written=results.read_text("utf-8"))


@pytest.mark.parametrize(
    ("other", "count"),
    [
        ("jsonpatch.apply_patch", 1),
        ("jsonpatch apply + make_patch", 3),
        ("copy.deepcopy of swept pods", 1),
        ("bare aiohttp client, same bodies", 1),
        ("python -c pass", 2),
        ("aiohttp client that drops the answers", 6),
    ],
)
def test_every_figure_is_measured_beside_what_it_is_compared_with(
    run: Run, other: str, count: int
) -> None:
    figures = [figure for figure in run.figures if figure["compared_with"] == other]
    assert len(figures) == count
    for figure in figures:
        assert figure["name"] in run.shown
        assert len(figure["ours"]) == len(figure["other"]) == 1
        assert all(value > 0 for value in (*figure["ours"], *figure["other"]))


def test_neither_the_table_nor_the_json_says_where_it_was_measured(run: Run) -> None:
    for text in (run.shown, run.written):
        assert os.uname().nodename not in text
        assert str(ROOT) not in text
