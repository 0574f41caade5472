"""Recorded traffic, sent again: what it finds, and what it does not."""

import asyncio
from collections.abc import Sequence
from functools import cache

import pytest

from fakes import IDENTITY, FakeTransport, specimen_transport
from replayed import creation, plain_pods, record_all, recorded
from sweeps_of_specimens import swept_keys
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.recorded.replaying import BLOCKED, NOT_CREATED, Replay, ReplayOptions
from webhook_fuzz.fuzzer.recorded.shapes import collect_samples
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.programs import Program

LOSSY = ("typed-round-trip-1.27", "list-replacement")
CLEAN = ("perfect", "perfect-index-diff")


def replay_of(
    exchanges: Sequence[RecordedExchange],
    program: Program,
    *,
    enrich: bool = True,
    transport: FakeTransport | None = None,
) -> Replay:
    replay = Replay(
        samples=collect_samples(exchanges).chosen(300),
        webhook=IDENTITY,
        transport=transport or specimen_transport(program),
        options=ReplayOptions(enrich=enrich),
    )

    async def run() -> None:
        async for _ in replay.events():
            pass

    asyncio.run(run())
    return replay


@cache
def replayed(name: str, *, enrich: bool) -> Replay:
    """A recording of plain pods, replayed to the specimen it was made from."""
    program = SPECIMENS[name].answer
    return replay_of(record_all(program, plain_pods()), program, enrich=enrich)


def keys(replay: Replay) -> set[tuple[str, str | None]]:
    return {found.finding.key for found in replay.tally.findings}


class TestPlainPodsOfALossyWebhook:
    @pytest.mark.parametrize("name", LOSSY)
    def test_with_new_fields_find_exactly_what_a_sweep_finds(self, name: str) -> None:
        assert keys(replayed(name, enrich=True)) == swept_keys(name)

    def test_without_them_find_nothing_and_nothing_is_called_compatible(self) -> None:
        replay = replayed("typed-round-trip-1.27", enrich=False)

        assert keys(replay) == set()
        assert replay.patched_now == replay.sent == len(plain_pods())
        assert not replay.tally.exercised

    def test_are_confirmed_alone(self) -> None:
        replay = replayed("typed-round-trip-1.27", enrich=True)

        assert all(found.alone for found in replay.tally.findings)


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_webhook_stays_clean(name: str) -> None:
    replay = replayed(name, enrich=True)

    assert keys(replay) == set()
    assert replay.tally.exercised


def test_what_makes_a_webhook_act_need_not_be_known_for_it_is_on_the_recorded_pod() -> None:
    specimen = SPECIMENS["needs-trigger"]
    plain, *others = plain_pods()
    metadata = object_at(plain, "metadata")
    annotations: JsonObject = {**specimen.trigger_annotations}
    acting: JsonObject = {**plain, "metadata": {**metadata, "annotations": annotations}}
    program = specimen.answer
    replay = replay_of(record_all(program, [acting, *others]), program)

    assert replay.tally.exercised
    assert (replay.facts.patched_then, replay.facts.patched_now) == (1, 1)


class TestAReviewThatIsSentAgain:
    async def test_has_a_uid_of_its_own_is_a_dry_run_and_says_the_rest_as_recorded(self) -> None:
        program = SPECIMENS["perfect"].answer
        (first, *_) = exchanges = record_all(program, plain_pods())
        transport = specimen_transport(program)
        replay = Replay(
            samples=collect_samples(exchanges).chosen(300),
            webhook=IDENTITY,
            transport=transport,
            options=ReplayOptions(enrich=False),
        )
        async for _ in replay.events():
            pass

        then = object_at(first.exchange.review, "request")
        now = object_at(transport.reviews[0], "request")
        assert now["uid"] != then["uid"]
        assert (now["dryRun"], object_at(now, "options")["dryRun"]) == (True, ["All"])
        assert list(now) == list(then)
        rest = now.keys() - {"uid", "dryRun", "options"}
        assert {name: now[name] for name in rest} == {name: then[name] for name in rest}

    async def test_is_the_same_in_every_replay_with_the_same_seed(self) -> None:
        program = SPECIMENS["perfect"].answer
        sent: list[list[JsonObject]] = []
        for _ in range(2):
            transport = specimen_transport(program)
            replay = Replay(
                samples=collect_samples(record_all(program, plain_pods())).chosen(300),
                webhook=IDENTITY,
                transport=transport,
            )
            async for _event in replay.events():
                pass
            sent.append(transport.reviews)

        assert sent[0] == sent[1]

    def test_with_new_fields_is_asked_for_by_its_user(self) -> None:
        program = SPECIMENS["perfect"].answer
        transport = specimen_transport(program)
        replay_of(record_all(program, plain_pods()), program, transport=transport)
        users = {
            text_at(object_at(review, "request", "userInfo"), "username")
            for review in transport.reviews
        }

        assert users == {"system:serviceaccount:kube-system:replicaset-controller"}


def other_requests() -> list[JsonObject]:
    """An update of a pod, its deletion, and the creation of something else."""
    pod = plain_pods()[0]
    review = creation(pod)
    request = object_at(review, "request")
    kind: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
    deployment: JsonObject = {
        "metadata": {"name": "cart"},
        "spec": {"template": {"spec": {"wfUnknown": 1}}},
    }
    return [
        {**review, "request": {**request, "operation": "UPDATE", "oldObject": pod}},
        {
            **review,
            "request": {**request, "operation": "DELETE", "object": None, "oldObject": pod},
        },
        {**review, "request": {**request, "kind": kind, "object": deployment}},
    ]


class TestRequestsThatCreateNoPod:
    def test_are_sent_as_recorded_and_counted(self) -> None:
        program = SPECIMENS["no-patch-type"].answer
        exchanges = [
            recorded(review, SPECIMENS["perfect"].answer, number)
            for number, review in enumerate(other_requests()[:1])
        ]
        replay = replay_of(exchanges, program)

        assert replay.not_enriched == {NOT_CREATED: 1}
        assert {code for code, _ in keys(replay)} == {"WF004"}

    def test_are_judged_by_what_applies_to_them(self) -> None:
        program = SPECIMENS["answers-html"].answer
        exchanges = [
            recorded(review, program, number) for number, review in enumerate(other_requests())
        ]
        replay = replay_of(exchanges, program)

        assert replay.sent == 3
        assert replay.not_enriched == {NOT_CREATED: 3}
        assert {code for code, _ in keys(replay)} == {"WF003"}

    def test_that_are_about_other_kinds_lose_nothing_as_no_schema_says_what_they_have(
        self,
    ) -> None:
        program = SPECIMENS["perfect"].answer
        replay = replay_of([recorded(other_requests()[2], program)], program)

        assert keys(replay) == set()


def test_a_pod_that_is_denied_as_it_is_gets_no_new_fields() -> None:
    accepts, denies = SPECIMENS["perfect"].answer, SPECIMENS["http-500"].answer
    replay = replay_of(record_all(accepts, plain_pods()), denies)

    assert replay.not_enriched == {BLOCKED: len(plain_pods())}
    assert replay.seeds == ()
    assert not replay.tally.exercised


async def test_a_webhook_that_is_not_there_is_given_up_after_a_dozen_calls() -> None:
    nobody = CallFailure(kind=FailureKind.REFUSED, detail="nothing listens")
    pods: list[JsonObject] = [
        {**plain_pods()[0], "metadata": {"name": "cart", "labels": {f"l{number}": "x"}}}
        for number in range(40)
    ]
    replay = Replay(
        samples=collect_samples(record_all(SPECIMENS["perfect"].answer, pods)).chosen(300),
        webhook=IDENTITY,
        transport=FakeTransport(lambda _: nobody),
    )
    judged = [event async for event in replay.events() if isinstance(event, CaseJudged)]

    assert len(judged) == 12
    assert not replay.tally.complete
    assert not replay.tally.reached
