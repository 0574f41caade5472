"""Is said what happens should the proxy die, and do the kubectl lines undo it?"""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from intercepted import ALL, CA_PEM, MESH, SECRETS, prepared, staging
from patching_clusters import PatchingCluster
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.warnings import undo_lines

PAGE = Path(__file__).resolve().parents[3] / "docs/interception.md"


async def test_what_would_be_refused_without_the_proxy_is_said(tmp_path: Path) -> None:
    said = "\n".join((await prepared(staging(), tmp_path)).warnings)
    assert f"{ALL[0]} (CREATE pods)" in said
    assert f"passed over without a word: {ALL[1]}" in said


async def test_who_is_going_to_write_it_back_is_said(tmp_path: Path) -> None:
    cluster = staging()

    def own(found: dict[str, Any]) -> None:
        found["metadata"]["annotations"]["cert-manager.io/inject-ca-from"] = "mesh/cert"
        found["metadata"]["ownerReferences"] = [{"kind": "Mesh", "name": "prod"}]

    cluster.edit(MESH, own, manager="mesh-operator")
    said = "\n".join((await prepared(cluster, tmp_path, ALL[0])).warnings)
    assert "cert-manager.io/inject-ca-from=mesh/cert has a controller write its caBundle" in said
    assert f"{MESH}: Mesh/prod may write it back" in said


def lines_of_the_page() -> list[str]:
    """The same, as docs/interception.md has it for one configuration."""
    text = PAGE.read_text("utf-8")
    block = next(each for each in text.split("```sh\n") if each.startswith("kubectl get"))
    line = block.partition("```")[0]
    return [line.replace("mesh-injector", name) for name in (MESH, SECRETS)]


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("sh")), reason="there is no jq here")
@pytest.mark.parametrize("lines", [undo_lines([MESH, SECRETS]), lines_of_the_page()])
async def test_the_kubectl_lines_put_everything_back(lines: list[str], tmp_path: Path) -> None:
    cluster = staging()
    await (await prepared(cluster, tmp_path)).begin(CA_PEM)
    after = PatchingCluster()
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\nif [ "$1" = get ]; then cat "$3".json; else cat; fi\n')
    kubectl.chmod(0o755)
    for name, line in zip((MESH, SECRETS), lines, strict=True):
        (tmp_path / f"{name}.json").write_text(json.dumps(cluster.configuration(name)))
        ran = await asyncio.create_subprocess_shell(
            line,
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdout=asyncio.subprocess.PIPE,
        )
        after.put(CONFIGURATIONS, json.loads((await ran.communicate())[0]))
    found_after = after.snapshot()
    for each in found_after.values():
        metadata: Any = each["metadata"]
        if not metadata["annotations"]:  # the API server leaves out an empty map
            del metadata["annotations"]
    assert found_after == staging().snapshot()
