"""Which API servers are there to test against, and how does a test get one?

kube-apiserver, etcd and kube-controller-manager of one version are one program, built from the
published Go modules (modules/controlplane). The two versions that are tested by default have their
go.mod there; for the others it is made on request by the same rule (go_mods.py).
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.builds import MODULES, GoModule, build
from testbed.folders import cache_folder, locked
from testbed.go_mods import GO_LINE, write_go_mod
from testbed.progress import Progress
from testbed.toolchains import find_toolchain, parse_go_version
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms

FOLDER = MODULES / "controlplane"
RELEASES: Mapping[Minor, str] = {
    Minor(1, 29): "1.29.6",
    Minor(1, 30): "1.30.14",
    Minor(1, 31): "1.31.14",
    Minor(1, 32): "1.32.13",
    Minor(1, 33): "1.33.13",
    Minor(1, 34): "1.34.4",
    Minor(1, 35): "1.35.4",
    Minor(1, 36): "1.36.3",
    Minor(1, 37): "1.37.2",
}
"""The release that stands for each minor."""
NEWEST = max(RELEASES)
DEFAULT_MINORS: Sequence[Minor] = (Minor(1, 33), NEWEST)
VERSIONS_VARIABLE = "KUBERNETES_VERSIONS"
COMMITTED: Mapping[Minor, Path] = {NEWEST: FOLDER / "go.mod", Minor(1, 33): FOLDER / "1.33.mod"}
VERSION_PACKAGE = "k8s.io/component-base/version"


def minors_under_test(environment: Mapping[str, str] = os.environ) -> Sequence[Minor]:
    """The minors in KUBERNETES_VERSIONS (`1.30 1.33 1.37`), or the two of every run.

    Raises InputError for one that cannot be built.
    """
    named = environment.get(VERSIONS_VARIABLE, "").split()
    return sorted({_known(parse_minor(text)) for text in named}) or DEFAULT_MINORS


def control_plane_module(minor: Minor, progress: Progress) -> GoModule:
    """The Go module of a minor's control plane; its go.mod is written first if need be."""
    release = RELEASES[_known(minor)]
    version = {"gitVersion": f"v{release}", "gitMajor": str(minor.major)}
    version["gitMinor"] = str(minor.minor)
    return GoModule(
        folder=FOLDER,
        suffix=f"-{minor}",
        go_mod=COMMITTED.get(minor) or _written_go_mod(release, progress),
        variables={f"{VERSION_PACKAGE}.{name}": value for name, value in version.items()},
        optimised=True,
    )


def build_control_plane(minor: Minor, progress: Progress) -> ControlPlanePrograms:
    """The programs of a minor, from the cache or built now: ten minutes for the first one.

    Raises ToolchainError without a Go toolchain, BuildError when compiling fails.
    """
    program = build(control_plane_module(minor, progress), progress)
    return ControlPlanePrograms(
        etcd=[program, "etcd"],
        apiserver=[program, "kube-apiserver"],
        controller_manager=[program, "kube-controller-manager"],
    )


def _known(minor: Minor) -> Minor:
    if minor not in RELEASES:
        known = ", ".join(map(str, RELEASES))
        raise InputError(f"Kubernetes {minor} cannot be built here.", hint=f"There are: {known}.")
    return minor


def _written_go_mod(release: str, progress: Progress) -> Path:
    """The go.mod of a release without a committed one: what it says never changes."""
    file = cache_folder() / "go-mods" / f"{release}.mod"
    lock = file.with_suffix(".lock")
    with locked(lock, waiting_for=f"preparing Kubernetes {release}", progress=progress):
        if not file.exists():
            toolchain = find_toolchain(parse_go_version(GO_LINE), progress)
            write_go_mod(release, file, sources=FOLDER, toolchain=toolchain, progress=progress)
    return file
