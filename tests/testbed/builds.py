"""How does a Go module of the testbed become a program, built once and never half?

The cache key is everything that decides what comes out: the Go sources, go.mod and go.sum of the
module and of the local modules it replaces, the toolchain, the platform and the flags. A program
is built under a temporary name and renamed, under a lock that dies with its holder.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.commands import Finished, run
from testbed.folders import cache_folder, locked
from testbed.progress import Progress
from testbed.toolchains import Toolchain, find_toolchain, needed_go_version
from webhook_fuzz.corpora.errors import IncompleteRunError

MODULES = Path(__file__).with_name("modules")
SOURCES = ("*.go", "go.mod", "go.sum")
# Static, without the path of the checkout and without asking git: the same bytes everywhere.
# Not optimised: compiling is what takes the time, and answering a few reviews needs no speed.
FLAGS = (
    "-trimpath",
    "-buildvcs=false",
    "-mod=readonly",
    "-ldflags=-s -w",
    "-gcflags=all=-N -l",
)
ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}
PARTIAL_SUFFIX = ".partial"

_REPLACED = re.compile(r"^replace \S+(?: \S+)? => (\.{1,2}/\S+)", re.MULTILINE)


class BuildError(IncompleteRunError):
    """A program of the testbed could not be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """A Go module of the testbed: its folder and the package in it (or in its graph) to build."""

    folder: Path
    package: str = "."

    @property
    def name(self) -> str:
        """The folder's name, which is also the program's."""
        return self.folder.name


API_027 = GoModule(folder=MODULES / "api027")
API_031 = GoModule(folder=MODULES / "api031")
API_032 = GoModule(folder=MODULES / "api032")
API_036 = GoModule(folder=MODULES / "api036")
EKS = GoModule(folder=MODULES / "eks", package="github.com/aws/amazon-eks-pod-identity-webhook")
ALL_MODULES: Sequence[GoModule] = (API_027, API_031, API_032, API_036, EKS)


def build(module: GoModule, progress: Progress) -> Path:
    """The module's program, from the cache or built now.

    Raises ToolchainError without a Go toolchain, BuildError when compiling fails.
    """
    return build_with(find_toolchain(_need(module), progress), module, progress)


def build_with(toolchain: Toolchain, module: GoModule, progress: Progress) -> Path:
    """As `build`, with a given toolchain."""
    folder = cache_folder() / content_key(module, toolchain)
    program = folder / module.name
    if program.exists():
        return program
    lock = folder / "lock"
    with locked(lock, waiting_for=f"building {module.name}", progress=progress):
        if not program.exists():
            _compile(toolchain, module, program, progress)
    return program


def content_key(module: GoModule, toolchain: Toolchain) -> str:
    """What the cache calls this build: changes whenever the program could."""
    digest = hashlib.sha256()
    for label in (toolchain.name, toolchain.platform, module.package, *FLAGS):
        digest.update(label.encode() + b"\0")
    for root in _source_folders(module.folder):
        for file in sorted(_sources(root)):
            digest.update(f"{root.name}/{file.relative_to(root).as_posix()}".encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _need(module: GoModule) -> tuple[int, int, int]:
    return max(needed_go_version(root / "go.mod") for root in _source_folders(module.folder))


def _source_folders(folder: Path) -> list[Path]:
    """The module's folder and those its go.mod replaces modules with."""
    go_mod = (folder / "go.mod").read_text()
    return [folder, *((folder / path).resolve() for path in _REPLACED.findall(go_mod))]


def _sources(root: Path) -> Iterator[Path]:
    for pattern in SOURCES:
        yield from root.rglob(pattern)


def _compile(toolchain: Toolchain, module: GoModule, program: Path, progress: Progress) -> None:
    partial = program.with_name(program.name + PARTIAL_SUFFIX)
    try:
        result = run(
            [toolchain.program, "build", *FLAGS, "-o", partial, module.package],
            doing=f"building {module.name} with {toolchain.name}",
            progress=progress,
            folder=module.folder,
            environment=_environment(os.environ),
        )
        if result.status != 0:
            raise _build_error(module, toolchain, result)
        partial.rename(program)
    finally:
        partial.unlink(missing_ok=True)


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The user's own settings (proxies, caches), without what would change the result.

    GOROOT may name another toolchain's library than the one that compiles.
    """
    kept = {name: value for name, value in inherited.items() if name != "GOROOT"}
    return {**kept, **ENVIRONMENT}


def _build_error(module: GoModule, toolchain: Toolchain, result: Finished) -> BuildError:
    if result.lacks_network:
        hint = (
            "Go must be able to download modules once: check the network, GOPROXY and "
            "HTTPS_PROXY. Afterwards building works offline."
        )
    else:
        hint = f"Try it by hand: cd {module.folder} && go build {module.package}"
    return BuildError(
        f"building {module.name} ({module.folder}) with {toolchain.name} "
        f"failed after {result.seconds:.0f} s:\n{result.tail}",
        hint=hint,
    )
