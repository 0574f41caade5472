import gzip
import json
import stat
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from webhook_fuzz.corpora.bundles import Bundle, KeptAnswer, load_bundle, save_bundle
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

SECRET = "hunter2-hunter2"
POD: JsonObject = {"spec": {"containers": [{"name": "a", "env": [{"name": "K", "value": SECRET}]}]}}


def exchange(outcome: Outcome) -> Exchange:
    return Exchange(
        webhook=WebhookIdentity(configuration="c", name="w", url="https://w/mutate"),
        review={"request": {"uid": "u", "object": POD}},
        outcome=outcome,
        seconds=0.25,
    )


BUNDLE = Bundle(
    context="staging",
    server="https://api:6443",
    made_at="2026-01-01T00:00:00Z",
    tool="1.0",
    answers=(
        KeptAnswer(method="GET", path="/version", query={"a": "b"}, status=200, body={"x": 1}),
        KeptAnswer(method="GET", path="/metrics", query={}, status=200, body="text"),
        KeptAnswer(method="GET", path="/n", query={}, trouble="forbidden", message="no"),
    ),
    seeds=(POD,),
    exchanges=(
        exchange(Answered(status=200, content_type="text/plain", body=b"not JSON")),
        exchange(CallFailure(kind=FailureKind.TIMEOUT, detail="no answer")),
        exchange(
            CallFailure(
                kind=FailureKind.STATUS, detail=f"said {SECRET}", status=500, body=SECRET.encode()
            )
        ),
    ),
    dry_runs=({"sent": POD, "created": POD},),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "bundle.json"
    save_bundle(BUNDLE, path)
    return path


def changed(file: Path, change: str, value: JsonValue) -> Path:
    """The file with the member at a path like `exchanges.0.seconds` changed."""
    document = json.loads(file.read_text())
    *path, last = [int(step) if step.isdecimal() else step for step in change.split(".")]
    holder = document
    for step in path:
        holder = holder[step]
    holder[last] = value
    file.write_text(json.dumps(document))
    return file


def test_what_is_saved_can_be_loaded_again(file: Path) -> None:
    found = load_bundle(file)
    assert found.answers == BUNDLE.answers
    assert (found.context, found.server, found.tool) == ("staging", "https://api:6443", "1.0")
    assert [each.outcome for each in found.exchanges][:2] == [
        each.outcome for each in BUNDLE.exchanges
    ][:2]
    assert [each.webhook for each in found.exchanges] == [each.webhook for each in BUNDLE.exchanges]
    assert len(found.seeds) == len(found.dry_runs) == 1


def test_no_secret_is_in_the_file(file: Path) -> None:
    found = load_bundle(file)
    assert SECRET not in file.read_text()
    failed = found.exchanges[2].outcome
    assert isinstance(failed, CallFailure)
    assert SECRET not in failed.detail
    assert SECRET.encode() not in failed.body
    assert failed.body.decode() in failed.detail


def test_only_its_owner_can_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["bundle.json"]


def test_it_follows_its_published_schema(file: Path) -> None:
    raw = resources.files("webhook_fuzz.corpora").joinpath("bundle.schema.json").read_text()
    schema = json.loads(raw)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(file.read_text()), schema)


def test_the_name_decides_whether_it_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json.gz"
    save_bundle(BUNDLE, path)
    assert json.loads(gzip.decompress(path.read_bytes()))["context"] == "staging"
    renamed = path.rename(tmp_path / "bundle")
    assert load_bundle(renamed).answers == BUNDLE.answers


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        save_bundle(BUNDLE, tmp_path / "taken")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("change", "value", "said"),
    [
        ("context", 1, "context: string expected, not number"),
        ("tool", [], "tool: object expected, not array"),
        ("tool", {}, "tool.version: string expected, not null"),
        ("answers", {}, "answers: array expected, not object"),
        ("answers.0", "x", r"answers\[0\]: object expected, not string"),
        ("answers.1.status", True, r"answers\[1\].status: integer expected, not bool"),
        ("answers.0.query", {"a": 1}, r"answers\[0\].query.a: string expected"),
        ("exchanges.0.seconds", "1", r"exchanges\[0\].seconds: number expected"),
        ("exchanges.0.answered.body", "%", r"exchanges\[0\].answered.body: not base64"),
        ("exchanges.1.failed.kind", "bad luck", r"failed.kind: 'bad luck' is no failure"),
        ("exchanges.1.failed", None, r"exchanges\[1\].failed: object expected, not null"),
    ],
)
def test_a_wrong_shape_is_said_with_its_place(
    file: Path, change: str, value: JsonValue, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_bundle(changed(file, change, value))


def test_another_version_is_not_read(file: Path) -> None:
    with pytest.raises(InputError, match="but of 'webhook-fuzz/bundle/v9'") as raised:
        load_bundle(changed(file, "schema", "webhook-fuzz/bundle/v9"))
    assert "release that wrote it" in raised.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "is not JSON"), (b"[]", "is not a bundle"), (b"{}", "is not a bundle of version")],
)
def test_what_is_no_bundle_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_bundle(file)


def test_a_file_that_is_cut_or_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_bundle(tmp_path / "nothing")
    cut = tmp_path / "cut"
    cut.write_bytes(gzip.compress(b"x" * 10_000)[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        load_bundle(cut)


def test_a_small_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_fuzz.corpora.bundles.MAX_BYTES", 1000)
    file = tmp_path / "bomb"
    file.write_bytes(gzip.compress(b" " * 10_000))
    with pytest.raises(InputError, match="larger than"):
        load_bundle(file)
