"""Which go.mod makes a control plane of a Kubernetes release?

k8s.io/kubernetes requires its staging modules (k8s.io/api, k8s.io/apiserver, …) as v0.0.0, which
nobody publishes: each is replaced by its published version, 0.37.2 for 1.37.2. Which ones there
are, and which etcd belongs to it, is in the go.mod of the release.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import TypedDict, cast

from testbed.builds import ENVIRONMENT, BuildError
from testbed.commands import Finished, run
from testbed.progress import Progress
from testbed.toolchains import Toolchain

GO_LINE = "1.26.0"
"""The newest that a release here needs. What Go changed meanwhile follows `godebug` instead."""
_STAGING = re.compile(r"^\t(k8s\.io/\S+) v0\.0\.0(?: // indirect)?$", re.MULTILINE)
_ETCD = re.compile(r"\bgo\.etcd\.io/etcd/server/v3 (\S+)")
_GODEBUG = re.compile(r"^godebug default=go\S+$|^godebug \(\n(?:\t.+\n)+\)$", re.MULTILINE)


class _Download(TypedDict):
    GoMod: str


def render_go_mod(release: str, upstream: str) -> str:
    """The go.mod for a release (`1.37.2`), from the go.mod of k8s.io/kubernetes in that version."""
    staging = sorted(_STAGING.findall(upstream))
    etcd = _ETCD.search(upstream)
    if not staging or etcd is None:
        raise ValueError(f"the go.mod of Kubernetes {release} names no staging modules or no etcd")
    published = "0." + release.partition(".")[2]
    godebug = _GODEBUG.search(upstream)
    return "\n".join(
        [
            f"// A control plane of Kubernetes {release}.",
            "module example.com/webhook-fuzz/testbed/controlplane",
            "",
            f"go {GO_LINE}",
            *(["", godebug[0]] if godebug else []),
            "",
            "require (",
            f"\tgo.etcd.io/etcd/server/v3 {etcd[1]}",
            "\tk8s.io/component-base v0.0.0",
            f"\tk8s.io/kubernetes v{release}",
            ")",
            "",
            "replace (",
            *(f"\t{name} => {name} v{published}" for name in staging),
            ")",
            "",
        ]
    )


def write_go_mod(
    release: str, target: Path, *, sources: Path, toolchain: Toolchain, progress: Progress
) -> None:
    """Write a tidy go.mod for the release to `target`, and the go.sum beside it.

    `sources` is the folder of the program. Raises BuildError when a module cannot be downloaded.
    """
    upstream = Path(_download(release, toolchain, progress)["GoMod"]).read_text()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"partial-{target.name}")
    partial.write_text(render_go_mod(release, upstream))
    tidied = run(
        [toolchain.program, "mod", "tidy", f"-modfile={partial}"],
        doing=f"finding the modules of Kubernetes {release}",
        progress=progress,
        folder=sources,
        environment={**os.environ, **ENVIRONMENT},
    )
    if tidied.status != 0:
        raise _error(release, tidied)
    shutil.move(partial.with_suffix(".sum"), target.with_suffix(".sum"))
    shutil.move(partial, target)


def _download(release: str, toolchain: Toolchain, progress: Progress) -> _Download:
    downloaded = run(
        [toolchain.program, "mod", "download", "-json", f"k8s.io/kubernetes@v{release}"],
        doing=f"downloading Kubernetes {release}",
        progress=progress,
        environment={**os.environ, **ENVIRONMENT},
    )
    if downloaded.status != 0:
        raise _error(release, downloaded)
    return cast("_Download", json.loads(downloaded.output))


def _error(release: str, result: Finished) -> BuildError:
    return BuildError(
        f"the modules of Kubernetes {release} could not be found:\n{result.tail}",
        hint="Go must be able to download modules once: check the network, GOPROXY, HTTPS_PROXY.",
    )
