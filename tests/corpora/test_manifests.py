"""Are manifests read as kubectl reads them, with the line of every member?"""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from webhook_fuzz.corpora import manifest_lines, manifests
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.manifests import Manifest, ManifestCount, iterate_manifests

TWO = """\
# Source: mine/templates/a.yaml
kind: Wanted
metadata: {name: a}
---
# Source: mine/templates/b.yaml
# and more
apiVersion: v1
kind: "Wanted"
metadata:
  name: b
spec:
  list:
  - first: 1
    second: 2
"""


def read(*sources: object, count: ManifestCount | None = None) -> list[Manifest]:
    counted = count or ManifestCount()
    return list(iterate_manifests(map(str, sources), {"Wanted"}, count=counted))


def write(folder: Path, text: str, name: str = "x.yaml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_documents_know_their_lines_and_templates(tmp_path: Path) -> None:
    file = write(tmp_path, TWO)
    one, other = read(file)
    assert (one.file, one.line, one.chart_file) == (str(file), 2, "mine/templates/a.yaml")
    assert (other.line, other.chart_file) == (7, "mine/templates/b.yaml")
    assert one.line_of("metadata", "name") == 3
    assert other.line_of("metadata", "name") == 10
    assert other.line_of("spec", "list", 0) == 13
    assert other.line_of("spec", "list", 0, "second") == 14


@pytest.mark.parametrize(
    "path", [("absent",), ("spec", "list", 7), ("spec", "list", "x"), ("kind", "x"), ("spec", 0)]
)
def test_what_is_not_written_has_no_line(path: tuple[str | int, ...], tmp_path: Path) -> None:
    assert read(write(tmp_path, TWO))[1].line_of(*path) is None


def test_kinds_nobody_asked_for_are_counted_and_not_read(tmp_path: Path) -> None:
    broken = "kind: Other\nspec: [}\n---\nkind: Wanted\n---\n# nothing\n"
    count = ManifestCount()
    (found,) = read(write(tmp_path, broken), count=count)
    assert (found.line, count.documents) == (4, 2)


def test_broken_documents_of_a_wanted_kind_are_said_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.yaml:3: "):
        read(write(tmp_path, "---\nkind: Wanted\nspec: [}\n"))


def test_folders_are_read_with_their_subfolders(tmp_path: Path) -> None:
    write(tmp_path, "kind: Wanted\n", "b/c/deep.yml")
    write(tmp_path, "kind: Wanted\n", "a.yaml")
    write(tmp_path, "kind: Wanted\n", "notes.txt")
    write(tmp_path, '{"kind": "Wanted"}', "z.json")
    names = [Path(found.file).name for found in read(tmp_path)]
    assert names == ["a.yaml", "deep.yml", "z.json"]


def test_lists_are_unrolled(tmp_path: Path) -> None:
    text = "kind: WantedList\nitems:\n- metadata: {name: a}\n- kind: Other\n"
    (found,) = read(write(tmp_path, text + "---\nkind: List\nitems: [{kind: Nothing}]\n"))
    assert found.value["kind"] == "Wanted"
    assert (found.line, found.line_of("metadata", "name")) == (3, 3)


def test_json_is_read_with_lines_too(tmp_path: Path) -> None:
    value = {"kind": "List", "items": [{"kind": "Wanted", "spec": {"a": [1, 2]}}]}
    (found,) = read(write(tmp_path, json.dumps(value, indent="\t"), "x.json"))
    assert found.line_of("spec", "a", 1) == 9


def test_several_json_values_may_follow_each_other(tmp_path: Path) -> None:
    text = '{"kind": "Wanted"}\n{"kind": "Wanted",\n"a": 1}\n'
    assert [found.line for found in read(write(tmp_path, text, "x.json"))] == [1, 2]


def test_a_merged_member_is_where_it_is_written(tmp_path: Path) -> None:
    text = "kind: Wanted\nbase: &b\n  a: 1\none: {<<: *b}\ntwo:\n  <<: [{c: 1}, *b]\n  c: 2\n"
    (found,) = read(write(tmp_path, text))
    assert found.line_of("one", "a") == 3
    assert found.line_of("two", "a") == 3
    assert found.line_of("two", "c") == 7
    assert found.line_of("two", "d") is None


def test_places_are_unknown_rather_than_wrong() -> None:
    (found,) = manifest_lines.read_lines("a: [", count=1)
    assert found.find(()) is None
    assert found.below("a").find(("b",)) is None


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(TWO.encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert [found.file for found in read("-")] == ["<stdin>", "<stdin>"]


def test_what_is_too_long_or_no_object_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"x\.yaml:2: not an object but of type string"):
        read(write(tmp_path, "kind: WantedList  # kind: Wanted\nitems: [x]\n"))
    monkeypatch.setattr(manifests, "MAX_BYTES", 2**20)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read(write(tmp_path, " " * (2**20 + 1)))


def test_numbers_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    for text, said in (('{"kind": "Wanted", "a": NaN}', "NaN"), ('{"kind": "Wanted",', "Expect")):
        with pytest.raises(InputError, match=said):
            read(write(tmp_path, text, "x.json"))


def test_a_folder_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rglob", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read(tmp_path)


def test_a_merge_of_something_else_is_passed_over() -> None:
    (lines,) = manifest_lines.read_lines("a: {<<: [x], b: 1}", count=1)
    assert lines.find(("a", "c")) is None


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "gone.yaml")
