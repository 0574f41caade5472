"""How does a Go module of the testbed become a program, built once and never half?

The cache key is everything that decides what comes out: the Go sources, go.mod and go.sum of the
module and of the local modules it replaces, the toolchain, the platform and the flags. A program
is built under a temporary name and renamed, under a lock that dies with its holder.

One folder may have several go.mod files (`go help build`, -modfile): the same sources, built with
other versions of what they require.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.commands import Finished, run
from testbed.folders import cache_folder, locked
from testbed.progress import Progress
from testbed.toolchains import Toolchain, find_toolchain, needed_go_version
from webhook_fuzz.corpora.errors import IncompleteRunError

MODULES = Path(__file__).with_name("modules")
# Static, without the path of the checkout and without asking git: the same bytes everywhere.
FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
LINKER_FLAGS = "-s -w"
# Compiling is what takes the time, and answering a few reviews needs no speed.
NOT_OPTIMISED = "-gcflags=all=-N -l"
ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}
PARTIAL_SUFFIX = ".partial"

_REPLACED = re.compile(r"^replace \S+(?: \S+)? => (\.{1,2}/\S+)", re.MULTILINE)


class BuildError(IncompleteRunError):
    """A program of the testbed could not be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """A Go module of the testbed: its folder and the package in it (or in its graph) to build.

    `go_mod` is another go.mod than the folder's own, with its go.sum beside it. `variables` are
    set by the linker (`-X`). `optimised` is for programs whose speed matters.
    """

    folder: Path
    package: str = "."
    suffix: str = ""
    go_mod: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    optimised: bool = False

    @property
    def name(self) -> str:
        """The folder's name, with the suffix of a variant: also the program's name."""
        return self.folder.name + self.suffix

    @property
    def mod_files(self) -> tuple[Path, Path]:
        """The go.mod and the go.sum to build with."""
        go_mod = self.go_mod or self.folder / "go.mod"
        return go_mod, go_mod.with_suffix(".sum")

    @property
    def flags(self) -> list[str]:
        """What `go build` is given beside the package."""
        linker = [LINKER_FLAGS, *(f"-X {name}={value}" for name, value in self.variables.items())]
        flags = [*FLAGS, f"-ldflags={' '.join(linker)}"]
        if not self.optimised:
            flags.append(NOT_OPTIMISED)
        if self.go_mod is not None:
            flags.append(f"-modfile={self.go_mod}")
        return flags


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
    for label in (toolchain.name, toolchain.platform, module.package, *_flags_by_content(module)):
        digest.update(label.encode() + b"\0")
    for root, file in _sources(module):
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.suffix
        digest.update(f"{root.name}/{name}".encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _flags_by_content(module: GoModule) -> list[str]:
    """The flags without the one that names a file by its place: its content is a source."""
    return [flag for flag in module.flags if not flag.startswith("-modfile=")]


def _need(module: GoModule) -> tuple[int, int, int]:
    others = [root / "go.mod" for root in _replaced_folders(module)]
    return max(needed_go_version(go_mod) for go_mod in (module.mod_files[0], *others))


def _replaced_folders(module: GoModule) -> list[Path]:
    """The folders of local modules that the module's go.mod replaces others with."""
    go_mod = module.mod_files[0].read_text()
    return [(module.folder / path).resolve() for path in _REPLACED.findall(go_mod)]


def _sources(module: GoModule) -> Iterator[tuple[Path, Path]]:
    """Every file that decides what is built, with the folder it belongs to."""
    roots = {module.folder: module.mod_files}
    for folder in _replaced_folders(module):
        roots[folder] = (folder / "go.mod", folder / "go.sum")
    for root, mod_files in roots.items():
        files = [*sorted(root.rglob("*.go")), *(file for file in mod_files if file.exists())]
        yield from ((root, file) for file in files)


def _compile(toolchain: Toolchain, module: GoModule, program: Path, progress: Progress) -> None:
    partial = program.with_name(program.name + PARTIAL_SUFFIX)
    try:
        result = run(
            [toolchain.program, "build", *module.flags, "-o", partial, module.package],
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
