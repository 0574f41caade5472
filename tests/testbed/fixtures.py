"""How do tests of any room use the real webhooks?

@pytest.fixture(scope="session")
def programs(request, tmp_path_factory):
    yield from running_programs(request.config, tmp_path_factory)

def test_…(programs):
    webhook = programs(API_031)     # built and started on first use, shared afterwards

And a real API server?

@pytest.fixture(scope="session")
def plane(request):
    return shared_control_plane(request.config)     # one a test process and version, for everybody
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol, TypeAlias, cast

import pytest

from testbed.builds import GoModule
from testbed.control_planes import NEWEST, build_control_plane
from testbed.programs import RunningProgram, serving
from testbed.progress import Progress
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

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


_PLANES = pytest.StashKey[dict[Minor, ControlPlane]]()


def shared_control_plane(config: pytest.Config, minor: Minor = NEWEST) -> ControlPlane:
    """The control plane of a version, built and started on first use, stopped with the run.

    All tests of the process share it: each keeps to a namespace and to names of its own.
    """
    planes = config.stash.setdefault(_PLANES, {})
    if minor not in planes:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        programs = build_control_plane(minor, past_capture(config))
        planes[minor] = stack.enter_context(control_plane(programs))
    return planes[minor]


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
