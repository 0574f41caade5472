import asyncio
import socket
import stat

import pytest
from aiohttp import ClientSession

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.specimens.authorities import throw_away_authority
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS, get_specimen
from webhook_fuzz.fuzzer.specimens.serving import RunningSpecimen, serve, serve_many
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport

REVIEW: JsonObject = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {"uid": "u", "object": {"metadata": {}, "spec": {"containers": [{"name": "c"}]}}},
}
FAILURES = {
    "slow": FailureKind.TIMEOUT,
    "http-500": FailureKind.STATUS,
    "oversized-answer": FailureKind.TOO_LARGE,
}


async def call(running: RunningSpecimen, review: JsonObject = REVIEW) -> Exchange:
    """Patiently, but for the specimen that never answers: all of them share one busy loop."""
    seconds = 1.0 if running.specimen.name == "slow" else 10.0
    options = DirectOptions(url=running.url, ca_file=running.ca_file, timeout_seconds=seconds)
    async with DirectTransport(options) as transport:
        return await transport.send(review)


async def test_all_specimens_run_at_once_and_answer_as_planted() -> None:
    async with serve_many(SPECIMENS.values()) as running:
        exchanges = await asyncio.gather(*(call(it) for it in running.values()))
    for name, exchange in zip(running, exchanges, strict=True):
        outcome = exchange.outcome
        if name in FAILURES:
            assert isinstance(outcome, CallFailure), name
            assert outcome.kind is FAILURES[name]
        else:
            assert isinstance(outcome, Answered), (name, outcome)


async def test_a_review_larger_than_a_mebibyte_is_read() -> None:
    request: JsonObject = {"uid": "u", "padding": "x" * 3_000_000}
    async with serve(get_specimen("perfect")) as running:
        assert isinstance((await call(running, {"request": request})).outcome, Answered)


async def test_a_service_name_can_be_served() -> None:
    name = "perfect.demo.svc"
    async with serve(get_specimen("perfect"), name) as running:
        options = DirectOptions(url=running.url, ca_file=running.ca_file, server_name=name)
        async with DirectTransport(options) as transport:
            assert isinstance((await transport.send(REVIEW)).outcome, Answered)


@pytest.mark.parametrize(
    ("path", "data", "status"), [("/other", b"{}", 404), ("/mutate", b"{", 400), ("", b"[]", 400)]
)
async def test_anything_but_a_review_is_refused(path: str, data: bytes, status: int) -> None:
    async with serve(get_specimen("perfect")) as running, ClientSession() as session:
        url = running.url.removesuffix("/mutate") + (path or "/mutate")
        async with session.post(url, data=data, ssl=False) as response:
            assert response.status == status


async def test_nothing_is_left_behind() -> None:
    async with serve(get_specimen("slow")) as running:
        pending = asyncio.create_task(call(running))
        await asyncio.sleep(0.1)
    await pending
    assert not running.ca_file.parent.exists()
    port = int(running.url.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_authority_keeps_no_key_on_disk() -> None:
    with throw_away_authority() as authority:
        authority.build_server_context("a.b.svc")
        folder = authority.ca_file.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == ["ca.pem"]
        assert "PRIVATE" not in authority.ca_file.read_text()
