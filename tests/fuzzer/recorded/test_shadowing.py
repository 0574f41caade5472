"""Copies of live traffic with new fields on: to whom, how many, and what they find."""

import asyncio
import json
import pickle
import stat
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from authorities import Authority
from replayed import creation, plain_pods
from served_webhooks import serve_at
from sweeps_of_specimens import swept_keys
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.sinks import Sink
from webhook_fuzz.fuzzer.generation.drafts import plain_container
from webhook_fuzz.fuzzer.recorded.shadow_targets import ShadowTarget, headers_of
from webhook_fuzz.fuzzer.recorded.shadowing import ShadowingSinkFactory
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program

SERVICE = "mpod.shop.svc"
WEBHOOK = WebhookIdentity(configuration="injector", name="mpod", url=f"https://{SERVICE}/mutate")
TIMED_OUT = CallFailure(kind=FailureKind.TIMEOUT, detail="no answer")
ANSWER = RawAnswer(status=200, headers=(), body=b"{}")
SECRET = "hunter2-is-no-password"


@dataclass(slots=True, kw_only=True)
class Shadowed:
    """A webhook that remembers what it is sent, and how the proxy would reach it."""

    target: ShadowTarget
    reviews: list[JsonObject] = field(default_factory=list[JsonObject])

    def factory(
        self, *, per_second: float = 1.0, results: Path | None = None
    ) -> ShadowingSinkFactory:
        return ShadowingSinkFactory(targets=(self.target,), per_second=per_second, results=results)


@asynccontextmanager
async def shadowed(program: Program, folder: Path) -> AsyncGenerator[Shadowed]:
    authority = Authority(folder / "ca")
    reviews: list[JsonObject] = []

    def remember(review: JsonObject) -> Answer:
        reviews.append(review)
        return program(review)

    async with serve_at("127.0.0.1", 0, remember, authority=authority, names=(SERVICE,)) as port:
        target = ShadowTarget(
            webhook=WEBHOOK,
            host="127.0.0.1",
            port=port,
            server_name=SERVICE,
            ca_pem=authority.ca_file.read_bytes(),
        )
        yield Shadowed(target=target, reviews=reviews)


def exchange(pod: JsonObject | None = None) -> RawExchange:
    return RawExchange(
        webhook=WEBHOOK,
        started_at=0.0,
        seconds=0.001,
        upstream_seconds=0.001,
        target=b"/mutate?timeout=10s",
        request_headers=((b"Host", f"{SERVICE}:443".encode()),),
        request_body=orjson.dumps(creation(plain_pods()[0] if pod is None else pod)),
        answer=ANSWER,
    )


def total(sink: Sink, name: str, **labels: str) -> float:
    return sum(
        count.value
        for count in sink.counts()
        if count.name == name and labels.items() <= count.labels.items()
    )


async def feed(sink: Sink, exchanges: Sequence[RawExchange]) -> None:
    """Hand exchanges over in another thread, as the sink's process does, and close."""

    def run() -> None:
        for each in exchanges:
            sink.take(each)
        sink.close()

    await asyncio.to_thread(run)


async def feed_one_by_one(sink: Sink, exchanges: Sequence[RawExchange]) -> None:
    """So that every exchange finds the copy of the one before answered."""

    def run() -> None:
        for number, each in enumerate(exchanges, 1):
            deadline = time.monotonic() + 5
            while total(sink, "shadow_sent") < number and time.monotonic() < deadline:
                sink.take(each)
                time.sleep(0.003)
        sink.close()

    await asyncio.to_thread(run)


class TestACopy:
    async def test_is_the_original_with_new_fields_as_a_dry_run_of_its_own(
        self, tmp_path: Path
    ) -> None:
        original = exchange()
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            await feed(there.factory()(), [original])

        (review,) = there.reviews
        then = object_at(orjson.loads(original.request_body), "request")
        now = object_at(review, "request")
        assert now["uid"] != then["uid"]
        assert (now["dryRun"], object_at(now, "options")["dryRun"]) == (True, ["All"])
        inits = objects_at(object_at(now, "object", "spec"), "initContainers")
        assert any(container.get("restartPolicy") == "Always" for container in inits)
        kept = now.keys() - {"uid", "dryRun", "options", "object"}
        assert {name: now[name] for name in kept} == {name: then[name] for name in kept}

    def test_is_called_as_the_original_was(self, tmp_path: Path) -> None:
        token = tmp_path / "token"
        token.write_text("fresh\n")
        target = ShadowTarget(webhook=WEBHOOK, host="10.0.0.1", port=8443, server_name=SERVICE)
        headers = ((b"host", b"proxy.wf.svc:443"), (b"Authorization", b"Bearer theirs"))
        seen = replace(exchange(), request_headers=headers)

        assert headers_of(target, seen) == {
            "Host": "proxy.wf.svc:443",
            "Authorization": "Bearer theirs",
        }
        ours = replace(target, authority=f"{SERVICE}:443", bearer_token_file=token)
        assert headers_of(ours, seen) == {
            "Host": f"{SERVICE}:443",
            "Authorization": "Bearer fresh",
        }

    @pytest.mark.parametrize(
        ("prefix", "at_prefix", "target", "path"),
        [
            ("", "/", b"/mutate?timeout=10s", "/mutate"),
            ("/webhook-fuzz/ab12", "/", b"/webhook-fuzz/ab12/mutate?timeout=3s", "/mutate"),
            ("/webhook-fuzz/ab12", "/inject", b"/webhook-fuzz/ab12?timeout=3s", "/inject"),
        ],
    )
    def test_goes_to_the_path_the_webhook_saw(
        self, prefix: str, at_prefix: str, target: bytes, path: str
    ) -> None:
        shadow = ShadowTarget(
            webhook=WEBHOOK,
            host="10.0.0.1",
            port=443,
            server_name=SERVICE,
            prefix=prefix,
            path_at_prefix=at_prefix,
        )

        assert shadow.path_of(target) == path


class TestHowMany:
    async def test_at_most_one_a_second_for_each_webhook(self, tmp_path: Path) -> None:
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            sink = there.factory()()
            await feed(sink, [exchange()] * 500)

        assert len(there.reviews) == 1
        assert total(sink, "shadow_sent", webhook="mpod") == 1
        skipped = total(sink, "shadow_skipped", reason="rate")
        assert skipped + total(sink, "shadow_skipped", reason="busy") == 499

    async def test_never_more_than_one_under_way(self, tmp_path: Path) -> None:
        def slow(review: JsonObject) -> Answer:
            return replace(SPECIMENS["perfect"].answer(review), delay_seconds=0.3)

        async with shadowed(slow, tmp_path) as there:
            sink = there.factory(per_second=1e6)()
            await feed(sink, [exchange()] * 50)

        assert len(there.reviews) == 1
        assert total(sink, "shadow_skipped", reason="busy") == 49

    async def test_none_to_a_webhook_that_was_not_allowed(self, tmp_path: Path) -> None:
        other = WebhookIdentity(configuration="other", name="other", url="https://other/")
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            sink = there.factory()()
            await feed(sink, [replace(exchange(), webhook=other)])

        assert there.reviews == []
        assert total(sink, "shadow_skipped", reason="not-allowed") == 1

    @pytest.mark.parametrize(
        ("seen", "reason"),
        [
            (
                replace(exchange(), answer=RawAnswer(status=500, headers=(), body=b"")),
                "original-failed",
            ),
            (replace(exchange(), answer=TIMED_OUT), "original-failed"),
            (replace(exchange(), request_body=b"no JSON"), "no-pod-creation"),
            (replace(exchange(), request_body=b"[]"), "no-pod-creation"),
            (
                exchange({"spec": {"containers": [plain_container("wf-sidecar")]}}),
                "no-pod-creation",
            ),
            (exchange({"spec": {"containers": [{"image": "nameless"}]}}), "unusable-pod"),
            (exchange({"spec": {"containers": "none"}}), "unusable-pod"),
        ],
        ids=["500", "a time-out", "no JSON", "a list", "ours", "no name", "no list"],
    )
    async def test_none_of_what_says_nothing(
        self, seen: RawExchange, reason: str, tmp_path: Path
    ) -> None:
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            sink = there.factory()()
            await feed(sink, [seen])

        assert there.reviews == []
        assert total(sink, "shadow_skipped", reason=reason) == 1

    async def test_a_webhook_that_is_gone_is_left_alone_for_a_while(self, tmp_path: Path) -> None:
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            pass
        sink = there.factory(per_second=1e6)()

        def run() -> None:
            while not total(sink, "shadow_failed"):
                sink.take(exchange())
                time.sleep(0.002)
            sink.take(exchange())
            sink.close()

        await asyncio.to_thread(run)

        assert total(sink, "shadow_sent") == 1
        assert total(sink, "shadow_skipped", reason="resting") >= 1


class TestWhatIsFound:
    async def test_is_what_a_lossy_webhook_does_to_new_fields(self, tmp_path: Path) -> None:
        results = tmp_path / "found" / "shadow.json"
        secret: JsonValue = [{"name": "TOKEN", "value": SECRET}]
        pod = plain_pods()[0]
        spec = object_at(pod, "spec")
        first, *others = objects_at(spec, "containers")
        containers: list[JsonValue] = [{**first, "env": secret}, *others]
        with_secret: JsonObject = {**pod, "spec": {**spec, "containers": containers}}
        async with shadowed(SPECIMENS["typed-round-trip-1.27"].answer, tmp_path) as there:
            sink = there.factory(per_second=1e6, results=results)()
            await feed_one_by_one(sink, [exchange(with_secret)] * 40)

        document = json.loads(results.read_text())
        found = {(each["code"], each["field"]) for each in document["findings"]}
        assert found == swept_keys("typed-round-trip-1.27")
        sent_to = document["webhooks"]["injector/mpod"]
        assert (sent_to["sent"], sent_to["patched"]) == (40, 40)
        assert total(sink, "shadow_findings", webhook="mpod") == len(found)
        assert SECRET not in results.read_text()
        assert stat.S_IMODE(results.stat().st_mode) == 0o600

    async def test_is_nothing_on_a_clean_one(self, tmp_path: Path) -> None:
        async with shadowed(SPECIMENS["perfect"].answer, tmp_path) as there:
            sink = there.factory(per_second=1e6)()
            await feed_one_by_one(sink, [exchange()] * 12)

        assert len(there.reviews) == 12
        assert total(sink, "shadow_findings") == 0

    async def test_names_the_field_a_webhook_denies(self, tmp_path: Path) -> None:
        results = tmp_path / "shadow.json"
        async with shadowed(SPECIMENS["denies-new-field"].answer, tmp_path) as there:
            sink = there.factory(per_second=1e6, results=results)()
            await feed_one_by_one(sink, [exchange()] * 90)

        found = json.loads(results.read_text())["findings"]
        assert [(each["code"], each["field"]) for each in found] == [
            ("WF007", "spec.hostnameOverride")
        ]


class TestTheFactory:
    def test_can_be_handed_to_another_process(self, tmp_path: Path) -> None:
        target = ShadowTarget(webhook=WEBHOOK, host="127.0.0.1", port=1, server_name=SERVICE)
        factory = ShadowingSinkFactory(targets=(target,), results=tmp_path / "a.json")

        assert pickle.loads(pickle.dumps(factory)) == factory  # noqa: S301 - our own

    @pytest.mark.parametrize(
        ("factory", "said"),
        [
            (ShadowingSinkFactory(targets=(), target="1.99"), "1.99"),
            (ShadowingSinkFactory(targets=(), target="new"), "new"),
            (ShadowingSinkFactory(targets=(), per_second=0.0), "none"),
            (
                ShadowingSinkFactory(targets=(), results=Path("/dev/null/shadow.json")),
                "/dev/null",
            ),
        ],
    )
    def test_refuses_what_cannot_be_used_at_once(
        self, factory: ShadowingSinkFactory, said: str
    ) -> None:
        with pytest.raises(InputError, match=said):
            factory()

    def test_refuses_a_ca_bundle_that_is_none(self) -> None:
        target = ShadowTarget(
            webhook=WEBHOOK, host="127.0.0.1", port=1, server_name=SERVICE, ca_pem=b"text"
        )

        with pytest.raises(InputError, match="caBundle"):
            ShadowingSinkFactory(targets=(target,))()


def test_the_bytes_that_were_forwarded_are_never_changed() -> None:
    seen = exchange()
    body = bytes(seen.request_body)
    target = ShadowTarget(webhook=WEBHOOK, host="127.0.0.1", port=1, server_name=SERVICE)
    sink = ShadowingSinkFactory(targets=(target,))()
    sink.take(seen)
    sink.close()

    assert seen.request_body == body
    assert text_at(orjson.loads(body), "kind") == "AdmissionReview"
