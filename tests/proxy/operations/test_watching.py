from pathlib import Path

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.operations.watching import WatchedRoutes
from webhook_fuzz.proxy.routes_files import load_routes

ROUTES = """
routes:
  - webhook: {{configuration: injector, name: inject.example.com}}
    host: {host}
    port: 443
"""


def watch(file: Path) -> WatchedRoutes:
    file.write_text(ROUTES.format(host="one.example"))
    return WatchedRoutes(file, load_routes)


def host(watched: WatchedRoutes) -> str:
    return watched.table.routes[0].upstream.host


def test_other_routes_are_taken_once(tmp_path: Path) -> None:
    watched = watch(tmp_path / "routes.yaml")
    (tmp_path / "routes.yaml").write_text(ROUTES.format(host="two.example"))

    assert watched.refresh()
    assert host(watched) == "two.example"
    assert not watched.refresh()


def test_the_same_routes_written_otherwise_are_no_others(tmp_path: Path) -> None:
    watched = watch(tmp_path / "routes.yaml")
    (tmp_path / "routes.yaml").write_text("# again\n" + ROUTES.format(host="one.example"))

    assert not watched.refresh()
    assert watched.problem is None


@pytest.mark.parametrize("broken", ["routes: [", "routes: []", "{}"])
def test_a_broken_file_keeps_the_old_routes_and_says_so(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "routes.yaml"
    watched = watch(file)
    file.write_text(broken)

    assert not watched.refresh()
    assert not watched.refresh()
    assert host(watched) == "one.example"
    assert watched.problem is not None
    assert "routes.yaml" in watched.problem
    file.write_text(ROUTES.format(host="two.example"))
    assert watched.refresh()
    assert watched.problem is None


def test_a_file_that_is_gone_for_a_while_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    watched = watch(file)
    content = file.read_bytes()
    file.unlink()

    assert not watched.refresh()
    assert watched.problem is not None
    file.write_bytes(content)
    assert not watched.refresh()
    assert watched.problem is None


def test_a_file_that_is_missing_at_the_beginning_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        WatchedRoutes(tmp_path / "missing.yaml", load_routes)
