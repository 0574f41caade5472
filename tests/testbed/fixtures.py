"""How do tests of any room use the real webhooks?

@pytest.fixture(scope="session")
def programs(request, tmp_path_factory):
    yield from running_programs(request.config, tmp_path_factory)

def test_…(programs):
    webhook = programs(API_031)     # built and started on first use, shared afterwards
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol, TypeAlias, cast

import pytest

from testbed.builds import GoModule
from testbed.programs import RunningProgram, serving
from testbed.progress import Progress

Programs: TypeAlias = Callable[[GoModule], RunningProgram]


class _CaptureManager(Protocol):
    def global_and_fixture_disabled(self) -> AbstractContextManager[None]: ...


def running_programs(config: pytest.Config, folders: pytest.TempPathFactory) -> Iterator[Programs]:
    """Yield a function that gives the running program of a module; all are stopped at the end."""
    running: dict[GoModule, RunningProgram] = {}
    progress = past_capture(config)
    with ExitStack() as stack:

        def program(module: GoModule) -> RunningProgram:
            if module not in running:
                folder = folders.mktemp(module.name)
                running[module] = stack.enter_context(
                    serving(module, folder=folder, progress=progress)
                )
            return running[module]

        yield program


def past_capture(config: pytest.Config) -> Progress:
    """A Progress that reaches the terminal although pytest captures output."""
    manager = cast("_CaptureManager | None", config.pluginmanager.getplugin("capturemanager"))

    def say(line: str) -> None:
        if manager is None:  # pytest -p no:capture
            sys.stderr.write(line + "\n")
            return
        with manager.global_and_fixture_disabled():
            sys.stderr.write(f"\n{line}")
            sys.stderr.flush()

    return say
