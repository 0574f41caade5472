"""Nothing secret in what is shared: reports of recordings, whether these are redacted or not."""

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from command_lines import run_cli
from planted_secrets import CANARIES, answer_of, exchange, exchanges_with_secrets, spellings
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

FORMATS = ("junit", "sarif", "markdown")
SPECIMENS = ("typed-round-trip-1.27", "prepend-with-migration", "loses-annotations")


def lossy_exchanges() -> list[RawExchange]:
    """Findings that quote pods: every container has secrets, and loses fields beside them."""
    found: list[RawExchange] = []
    for number, seed in enumerate(load_shipped_seeds()):
        pod: Any = json.loads(json.dumps(default_pod(seed.pod)))
        pod["metadata"]["annotations"] = {"example.com/key": CANARIES["annotation"]}
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            container["env"] = [{"name": "PASSWORD", "value": CANARIES["env"]}]
            container["args"] = [f"--password={CANARIES['option']}"]
            container["command"] = ["run", f"postgres://me:{CANARIES['url-userinfo']}@db/shop"]
        for name in SPECIMENS:
            review: JsonObject = build_review(
                pod, ReviewOptions(api_server=Minor(1, 37), uid=f"u-{number}-{name}", dry_run=False)
            )
            answer = get_specimen(name).program(review)
            found.append(exchange(orjson.dumps(review), answer_of(answer.body)))
    return found


@pytest.mark.parametrize("raw", [False, True], ids=["redacted", "raw"])
async def test_no_secret_of_the_traffic_is_in_any_report(tmp_path: Path, *, raw: bool) -> None:
    sink = RecordingSinkFactory(folder=tmp_path / "rec", raw=raw)()
    for each in [*lossy_exchanges(), *exchanges_with_secrets()]:
        sink.take(each)
    sink.close()

    formats = [word for each in FORMATS for word in ("--format", each)]
    ran = await run_cli("check", "rec", "--output", "out", *formats, cwd=tmp_path)

    assert ran.code == 1, ran.err
    written = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert len(json.loads(written["run.json"])["findings"]) > len(SPECIMENS)
    kept = b"".join([*written.values(), ran.out.encode(), ran.err.encode()])
    kept += b"".join(_decoded(kept))
    left = [
        place
        for place, secret in CANARIES.items()
        if any(spelled in kept for spelled in spellings(secret))
    ]
    assert left == []


def _decoded(kept: bytes) -> list[bytes]:
    """Patches are base64."""
    found: list[bytes] = []
    for word in kept.replace(b'"', b" ").split():
        if len(word) > 32:
            try:
                found.append(base64.b64decode(word, validate=True))
            except ValueError:
                continue
    return found
