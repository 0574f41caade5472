import json
import stat
from pathlib import Path

import pytest

from testbed import folders
from testbed.builds import BuildError
from testbed.control_planes import (
    COMMITTED,
    DEFAULT_MINORS,
    RELEASES,
    control_plane_module,
    minors_under_test,
)
from testbed.go_mods import GO_LINE, render_go_mod, write_go_mod
from testbed.toolchains import Toolchain, needed_go_version, parse_go_version
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.versions import Minor

UPSTREAM = """\
module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
	github.com/blang/semver/v4 v4.0.0
	k8s.io/component-base v0.0.0
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
	k8s.io/kms v0.0.0 // indirect
	go.etcd.io/etcd/server/v3 v3.5.21 // indirect
)
"""
# Stands in for `go`: "downloads" the go.mod above, and tidies by writing a go.sum.
FAKE_GO = """\
#!/bin/sh
if [ -n "$FAKE_GO_FAILS" ]; then echo "$FAKE_GO_FAILS" >&2; exit 1; fi
if [ "$2" = download ]; then cat "$FAKE_DOWNLOAD"; exit 0; fi
file="${3#-modfile=}"
echo sums > "${file%.mod}.sum"
"""


@pytest.fixture
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    upstream, answer, program = tmp_path / "go.mod", tmp_path / "answer", tmp_path / "go"
    upstream.write_text(UPSTREAM)
    answer.write_text(json.dumps({"GoMod": str(upstream)}))
    monkeypatch.setenv("FAKE_DOWNLOAD", str(answer))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program.write_text(FAKE_GO)
    program.chmod(stat.S_IRWXU)
    return Toolchain(program=program, version=(1, 26, 8), platform="linux-amd64")


def quiet(_: str) -> None:
    pass


def test_staging_modules_are_replaced_by_the_published_ones() -> None:
    text = render_go_mod("1.33.13", UPSTREAM)
    replaced = [line.strip() for line in text.splitlines() if " => " in line]
    assert replaced == [
        "k8s.io/api => k8s.io/api v0.33.13",
        "k8s.io/component-base => k8s.io/component-base v0.33.13",
        "k8s.io/kms => k8s.io/kms v0.33.13",
    ]


def test_etcd_and_godebug_are_those_of_the_release() -> None:
    text = render_go_mod("1.33.13", UPSTREAM)
    assert "go.etcd.io/etcd/server/v3 v3.5.21\n" in text
    assert "\ngodebug default=go1.24\n" in text


def test_a_go_mod_that_is_not_kubernetes_is_refused() -> None:
    with pytest.raises(ValueError, match="names no staging modules"):
        render_go_mod("1.33.13", "module example.com/other\n")


def test_a_go_mod_is_written_together_with_its_sums(toolchain: Toolchain, tmp_path: Path) -> None:
    target = tmp_path / "written" / "1.33.13.mod"
    write_go_mod("1.33.13", target, sources=tmp_path, toolchain=toolchain, progress=quiet)
    assert target.read_text() == render_go_mod("1.33.13", UPSTREAM)
    assert target.with_suffix(".sum").read_text() == "sums\n"
    assert len(list(target.parent.iterdir())) == 2


def test_without_network_the_remedy_is_named(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "dial tcp: no such host")
    with pytest.raises(BuildError, match="no such host") as caught:
        write_go_mod(
            "1.33.13", tmp_path / "x.mod", sources=tmp_path, toolchain=toolchain, progress=quiet
        )
    assert "GOPROXY" in caught.value.hint


def test_a_version_without_a_committed_go_mod_gets_one_on_request(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: object) -> Toolchain:
        return toolchain

    monkeypatch.setattr("testbed.control_planes.find_toolchain", found)
    module = control_plane_module(Minor(1, 30), quiet)
    go_mod, _ = module.mod_files
    assert go_mod == folders.cache_folder() / "go-mods" / "1.30.14.mod"
    assert "k8s.io/kubernetes v1.30.14" in go_mod.read_text()
    assert module.name == "controlplane-1.30"
    assert "-X k8s.io/component-base/version.gitVersion=v1.30.14" in module.flags[-2]


@pytest.mark.parametrize("minor", COMMITTED)
def test_the_committed_go_mods_are_of_the_release_that_stands_for_the_minor(minor: Minor) -> None:
    text = COMMITTED[minor].read_text()
    assert f"k8s.io/kubernetes v{RELEASES[minor]}\n" in text
    assert needed_go_version(COMMITTED[minor]) == parse_go_version(GO_LINE)


def test_the_versions_to_test_are_the_callers_choice() -> None:
    named = minors_under_test({"KUBERNETES_VERSIONS": "1.37 1.30 v1.30.14"})
    assert named == [Minor(1, 30), Minor(1, 37)]
    assert minors_under_test({"KUBERNETES_VERSIONS": " "}) == DEFAULT_MINORS


def test_a_version_that_cannot_be_built_is_named_with_those_that_can() -> None:
    with pytest.raises(InputError, match=r"Kubernetes 1\.28 cannot be built") as caught:
        minors_under_test({"KUBERNETES_VERSIONS": "1.28"})
    assert "1.29" in caught.value.hint
