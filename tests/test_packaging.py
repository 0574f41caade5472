"""Is everything that is in the folders also in what is installed?"""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("corpora", "fuzzer", "proxy", "reports")


def settings() -> dict[str, object]:
    return cast(
        "dict[str, object]", tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    )


def sources() -> list[Path]:
    """The files of the four rooms that belong in the wheel, relative to the repository."""
    return sorted(
        file.relative_to(ROOT)
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".partial"
    )


def packages() -> set[str]:
    folders = {file.parent for file in sources() if file.name == "__init__.py"}
    return {"webhook_fuzz", *(f"webhook_fuzz.{'.'.join(folder.parts)}" for folder in folders)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy: building writes into the folder it builds."""
    copy = tmp_path_factory.mktemp("source")
    names = [*ROOMS, ".typing", "pyproject.toml", "README.md", "LICENSE"]
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True)
        else:
            shutil.copy(source, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(copy / "dist"), str(copy)]
    subprocess.run(command, check=True, cwd=copy)  # noqa: S603 - pip, with our own arguments
    return zipfile.ZipFile(next((copy / "dist").glob("*.whl")))


def test_every_package_is_listed_in_pyproject() -> None:
    setuptools = cast("dict[str, list[str]]", settings()["setuptools"])

    assert set(setuptools["packages"]) == packages()


def test_the_wheel_holds_every_file_of_the_rooms(wheel: zipfile.ZipFile) -> None:
    packed = set(wheel.namelist())

    assert [str(file) for file in sources() if f"webhook_fuzz/{file}" not in packed] == []


def test_the_wheel_installs_nothing_beside_its_namespace(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"webhook_fuzz"}
    assert "webhook_fuzz/__init__.py" not in wheel.namelist()


def test_the_links_for_type_checkers_lead_to_the_rooms() -> None:
    links = {
        link.name: link.resolve()
        for link in (ROOT / ".typing/webhook_fuzz").iterdir()
        if link.is_symlink()
    }

    assert links == {room: ROOT / room for room in ROOMS}


def test_lock_files_name_no_registry() -> None:
    for lock in (ROOT / "scripts/locks").glob("*.txt"):
        assert "://" not in lock.read_text("utf-8")
        assert "--hash=sha256:" in lock.read_text("utf-8")


def test_the_architecture_fits_on_two_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) <= 80
