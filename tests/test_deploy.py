"""Is `kubectl apply -k deploy` what is installed, and is what the image copies there?"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.deployment.installations import (
    IMAGE,
    NAMESPACE,
    load_manifests,
    pod_template,
)

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PACKAGE = ROOT / "proxy/deployment"
CONTAINERFILE = DEPLOY / "Containerfile"


def kustomization(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    return found


def instructions(name: str) -> list[str]:
    """The arguments of all instructions of a kind, continued lines joined."""
    text = CONTAINERFILE.read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("folder", [DEPLOY, DEPLOY / "with-volume"], ids=lambda each: each.name)
def test_the_kustomizations_refer_to_what_the_package_holds_and_change_nothing(
    folder: Path,
) -> None:
    found = kustomization(folder)
    assert {*found} <= {
        *("apiVersion", "kind", "namespace", "images", "resources", "components"),
    }
    assert [(folder / each).resolve() for each in found["resources"]] == [PACKAGE / "manifests"]
    components = [(folder / each).resolve() for each in found.get("components", [])]
    assert components == ([PACKAGE / "components/recordings"] if folder != DEPLOY else [])
    assert found["namespace"] == NAMESPACE
    name, _, tag = IMAGE.rpartition(":")
    assert found["images"] == [{"name": name, "newTag": tag}]


@pytest.mark.parametrize("folder", ["manifests", "components/recordings"])
def test_every_manifest_is_listed(folder: str) -> None:
    files = {file.name for file in (PACKAGE / folder).iterdir()}
    assert set(kustomization(PACKAGE / folder)["resources"]) == files - {"kustomization.yaml"}


def test_no_name_is_given_twice() -> None:
    names = [(each["kind"], str(each["metadata"])) for each in load_manifests(volume=True)]
    assert len(names) == len(set(names))


def test_everything_the_image_copies_is_there() -> None:
    for line in instructions("COPY"):
        words = [word for word in shlex.split(line) if not word.startswith("--")]
        if "--from=build" not in line:
            assert [word for word in words[:-1] if not (ROOT / word).exists()] == []


def test_the_image_needs_no_shell_and_no_root() -> None:
    for line in [*instructions("RUN"), *instructions("ENTRYPOINT")]:
        assert line.startswith("[")
    assert instructions("USER") == ["65532:65532"]
    (deployment,) = (each for each in load_manifests() if each["kind"] == "Deployment")
    spec = object_at(pod_template(deployment) or {}, "spec", "securityContext")
    assert (spec["runAsUser"], spec["runAsNonRoot"]) == (65532, True)


def test_the_base_of_the_image_is_pinned_and_every_package_has_hashes() -> None:
    (base,) = instructions("ARG")
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-\w+", base)
    (install,) = [line for line in instructions("RUN") if "--require-hashes" in line]
    lock = ROOT / "scripts/locks/image.txt"
    assert "scripts/locks/image.txt" in install
    assert str(lock.relative_to(ROOT)) in (ROOT / "scripts/lock").read_text("utf-8")
    locked = lock.read_text("utf-8")
    for package in ("aiohttp", "kubernetes", "prometheus-client", "setuptools", "zstandard"):
        assert re.search(rf"^{package}==\S+.*\\$", locked, re.MULTILINE)


def test_the_image_has_the_same_versions_as_the_tests() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "scripts/locks" / name).read_text("utf-8")
        return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))

    tested = pins("dev.txt")
    assert {name: tested.get(name) for name in pins("image.txt")} == pins("image.txt")


def test_the_program_starts_where_nothing_can_be_written(tmp_path: Path) -> None:
    """As in the image: another user, a home that is not there, a root file system read-only."""
    environment = {
        "HOME": str(tmp_path / "none"),
        "PATH": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "webhook_fuzz", "version"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not (tmp_path / "none").exists()


@pytest.mark.real
def test_the_image_s_install_lines_work_in_a_fresh_environment(tmp_path: Path) -> None:
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)  # noqa: S603 - venv
    for line in instructions("RUN")[1:]:
        command: list[str] = yaml.safe_load(line)
        assert command[0] == "/opt/webhook-fuzz/bin/python"
        subprocess.run([python, *command[1:]], check=True, cwd=_copied(tmp_path))  # noqa: S603 - pip
    entry = tmp_path / "venv/bin/webhook-fuzz"
    ran = subprocess.run(  # noqa: S603 - what was installed
        [entry, "version"], env={"HOME": "/nonexistent"}, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    left = subprocess.run(  # noqa: S603 - as above
        [python, "-c", "import pip"], capture_output=True, check=False
    )
    assert left.returncode != 0


def _copied(folder: Path) -> Path:
    """What the image copies, and nothing else."""
    source = folder / "source"
    if not source.exists():
        source.mkdir()
        for line in instructions("COPY"):
            for word in [] if "--from" in line else shlex.split(line)[:-1]:
                (source / word).parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["/bin/cp", "-a", ROOT / word, source / word], check=True)  # noqa: S603 - files of ours
    return source
