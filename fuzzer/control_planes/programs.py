"""Which programs make up a control plane, and where are they?

`KUBEBUILDER_ASSETS` comes first, the folder that setup-envtest of controller-runtime fills: whoever
has it set has chosen a version. Otherwise the caller's own programs are taken.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
HINT = (
    "Get them with controller-runtime's setup-envtest "
    "(`setup-envtest use 1.37 -p path` prints a folder) and set "
    f"{ASSETS_VARIABLE} to that folder."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlanePrograms:
    """How to run each program: the words its flags are appended to.

    One program may well hold several as sub-commands. kube-controller-manager and kubectl are not
    in envtest's folder in every version; a control plane can do without.
    """

    etcd: Sequence[str | Path]
    apiserver: Sequence[str | Path]
    controller_manager: Sequence[str | Path] | None = None
    kubectl: Path | None = None


def find_programs(
    otherwise: ControlPlanePrograms | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> ControlPlanePrograms:
    """The programs in KUBEBUILDER_ASSETS if that is set, else those handed in.

    Raises InputError when there are none, or when that folder lacks one that is needed.
    """
    assets = environment.get(ASSETS_VARIABLE)
    if assets:
        return _programs_in(Path(assets))
    if otherwise is None:
        raise InputError(
            f"A throw-away control plane needs kube-apiserver and etcd, and {ASSETS_VARIABLE} "
            "is not set.",
            hint=HINT,
        )
    return otherwise


def _programs_in(folder: Path) -> ControlPlanePrograms:
    manager, kubectl = folder / "kube-controller-manager", folder / "kubectl"
    return ControlPlanePrograms(
        etcd=[_needed(folder, "etcd")],
        apiserver=[_needed(folder, "kube-apiserver")],
        controller_manager=[manager] if _runs(manager) else None,
        kubectl=kubectl if _runs(kubectl) else None,
    )


def _needed(folder: Path, name: str) -> Path:
    if not _runs(folder / name):
        raise InputError(
            f"{ASSETS_VARIABLE} is {folder}, and there is no program {name} in it.", hint=HINT
        )
    return folder / name


def _runs(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)
