"""Which recorded reviews are the same to a webhook, and that no more than that is kept."""

import base64
import copy
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from replayed import RECORDED_WEBHOOK, creation, of_webhook, plain_pods, record_all, recorded
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, FailureKind, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.generation.drafts import plain_container
from webhook_fuzz.fuzzer.recorded.shapes import (
    OUR_OWN,
    TOO_DEEP,
    UNREAD,
    Samples,
    collect_samples,
    how_answered,
    shape_of,
)
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS

PERFECT = SPECIMENS["perfect"].answer
ALLOWED = Answered(
    status=200,
    content_type="application/json",
    body=b'{"response":{"uid":"1","allowed":true}}',
)


def pod(**metadata: JsonValue) -> JsonObject:
    container: JsonObject = {"name": "app", "image": "registry.example.com/shop/cart:1"}
    return {
        "metadata": {"generateName": "cart-", **metadata},
        "spec": {"containers": [container]},
    }


def shape(pod: JsonObject, **request: JsonValue) -> object:
    return shape_of({**object_at(creation(pod), "request"), **request})


def exchange(pod: JsonObject, number: int, outcome: Outcome = ALLOWED) -> RecordedExchange:
    kept = Exchange(
        webhook=RECORDED_WEBHOOK, review=creation(pod, number), outcome=outcome, seconds=0.001
    )
    return RecordedExchange(
        id=str(number),
        exchange=kept,
        started_at=0.0,
        upstream_seconds=0.0,
        target="/mutate",
        request=str(number),
    )


class TestTheSameShape:
    def test_is_that_of_pods_that_differ_in_names_images_and_hashes(self) -> None:
        other = pod(generateName="till-", labels={"pod-template-hash": "5d4f"})
        object_at(other, "spec")["containers"] = [{"name": "till", "image": "till:2"}]

        assert shape(pod(labels={"pod-template-hash": "77aa"})) == shape(other)

    def test_is_that_of_annotations_with_the_same_keys_and_other_tokens(self) -> None:
        one, other = pod(annotations={"a/token": "x-1"}), pod(annotations={"a/token": "x-2"})

        assert shape(one) == shape(other)

    def test_is_that_of_namespaces_that_differ_in_a_number(self) -> None:
        assert shape(pod(), namespace="pr-17") == shape(pod(), namespace="pr-2045")


class TestAnotherShape:
    @pytest.mark.parametrize(
        "other",
        [
            pod(labels={"app": "cart"}),
            pod(annotations={"sidecar.istio.io/inject": "true"}),
            pod(ownerReferences=[{"kind": "ReplicaSet"}]),
        ],
        ids=["a label", "an annotation", "an owner"],
    )
    def test_is_that_of_another_member_of_the_metadata(self, other: JsonObject) -> None:
        assert shape(other) != shape(pod())

    def test_is_that_of_the_other_word_of_choice(self) -> None:
        on = pod(annotations={"sidecar.istio.io/inject": "true"})
        off = pod(annotations={"sidecar.istio.io/inject": "false"})

        assert shape(on) != shape(off)

    def test_is_that_of_one_more_container(self) -> None:
        other = pod()
        containers = object_at(other, "spec")["containers"]
        assert isinstance(containers, list)
        containers.append({"name": "logs", "image": "logs:1"})

        assert shape(other) != shape(pod())

    def test_is_that_of_a_choice_in_the_spec(self) -> None:
        other = pod()
        object_at(other, "spec")["restartPolicy"] = "Never"
        one = pod()
        object_at(one, "spec")["restartPolicy"] = "Always"

        assert shape(other) != shape(one)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("namespace", "payments"),
            ("operation", "UPDATE"),
            ("subResource", "ephemeralcontainers"),
            ("userInfo", {"username": "jane"}),
        ],
    )
    def test_is_that_of_another_request(self, member: str, value: JsonValue) -> None:
        assert shape(pod(), **{member: value}) != shape(pod())

    def test_is_that_of_another_answer(self) -> None:
        patch = base64.b64encode(b"[]").decode()
        answer = {"response": {"allowed": True, "patch": patch}}
        patched = replace(ALLOWED, body=orjson.dumps(answer))
        samples = collect_samples([exchange(pod(), 1), exchange(pod(), 2, patched)])

        assert [sample.acted for sample in samples.chosen(10)] == ["allowed", "patched"]

    def test_is_that_of_another_webhook(self) -> None:
        one = exchange(pod(), 1)

        assert len(collect_samples([one, of_webhook(one, "other")])) == 2


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (CallFailure(kind=FailureKind.TIMEOUT, detail="no answer"), "failed"),
        (replace(ALLOWED, body=b"<html>"), "failed"),
        (replace(ALLOWED, body=b"[]"), "failed"),
        (replace(ALLOWED, body=b'{"response":{"allowed":false}}'), "denied"),
        (ALLOWED, "allowed"),
    ],
)
def test_how_it_was_answered_is_read_off_the_answer(outcome: Outcome, said: str) -> None:
    assert how_answered(outcome) == said


class TestASample:
    def test_stands_for_all_exchanges_of_its_shape(self) -> None:
        samples = collect_samples([exchange(pod(), number) for number in range(30)])
        (sample,) = samples.chosen(10)

        assert (sample.id, sample.count, samples.read) == ("0", 30, 30)

    def test_is_the_review_as_it_was_recorded(self) -> None:
        one = exchange(pod(annotations={"a": "b"}), 1)
        (sample,) = collect_samples([one]).chosen(10)

        assert sample.review == one.exchange.review

    def test_of_what_the_webhook_patched_is_chosen_before_what_is_frequent(self) -> None:
        frequent = [exchange(pod(), number) for number in range(9)]
        patched = recorded(creation(plain_pods()[0], 10), PERFECT, 10)
        (chosen,) = collect_samples([*frequent, patched]).chosen(1)

        assert chosen.acted == "patched"


class TestWhatIsLeftOut:
    def test_is_counted_beyond_the_bound_with_its_shapes(self) -> None:
        samples = Samples(most=3)
        for number in range(20):
            samples.add(exchange(pod(labels={f"l{number % 5}": "x"}), number))

        assert len(samples) == 3
        assert (samples.beyond, samples.shapes_beyond) == (8, 2)

    def test_is_what_has_no_room_in_bytes(self) -> None:
        samples = Samples(most_bytes=3_000)
        for number in range(4):
            samples.add(exchange(pod(labels={f"l{number}": "x" * 1000}), number))

        assert len(samples) == 1
        assert samples.beyond == 3

    def test_is_a_request_that_was_no_review(self) -> None:
        one = exchange(pod(), 1)
        samples = collect_samples([replace(one, exchange=replace(one.exchange, review={}))])

        assert dict(samples.left_out) == {UNREAD: 1}

    def test_is_a_pod_of_our_own_sweeps(self) -> None:
        ours = pod()
        object_at(ours, "spec")["initContainers"] = [plain_container("wf-sidecar")]

        assert dict(collect_samples([exchange(ours, 1)]).left_out) == {OUR_OWN: 1}

    def test_is_what_is_nested_deeper_than_any_object_of_the_api(self) -> None:
        deep: JsonValue = {}
        for _ in range(5_000):
            deep = {"a": deep}
        nested = pod()
        object_at(nested, "spec")["affinity"] = deep
        samples = collect_samples([exchange(nested, 1)])

        assert dict(samples.left_out) == {TOO_DEEP: 1}
        assert len(samples) == 0


def many(count: int, shapes: int) -> Iterator[RecordedExchange]:
    """Pods of so many shapes, each with a name, a hash and an image of its own."""
    of_shape = [pod(labels={f"of-{number}": "x"}) for number in range(shapes)]
    first = [exchange(each, number) for number, each in enumerate(of_shape)]
    for number in range(count):
        like = first[number % shapes]
        request = object_at(like.exchange.review, "request")
        made = copy.copy(object_at(request, "object"))
        made["metadata"] = {
            **object_at(made, "metadata"),
            "name": f"cart-{number}",
            "annotations": {"checksum/config": f"{number:064x}"},
        }
        review: JsonObject = {
            **like.exchange.review,
            "request": {**request, "uid": str(number), "object": made},
        }
        yield replace(like, id=str(number), exchange=replace(like.exchange, review=review))


class TestManyExchanges:
    def test_a_hundred_thousand_of_forty_shapes_are_forty_reviews(self) -> None:
        samples = collect_samples(many(100_000, 40))
        chosen = samples.chosen(300)

        assert len(chosen) == 40
        assert {sample.count for sample in chosen} == {2_500}
        assert samples.read == 100_000
        assert sum(len(sample.encoded) for sample in chosen) < 100_000

    def test_take_no_more_memory_the_more_there_are(self) -> None:
        collect_samples(many(100, 40))  # what is made once
        peaks: list[int] = []
        for count in (1_000, 4_000):
            tracemalloc.start()
            collect_samples(many(count, 40))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

        assert peaks[1] < 1.2 * peaks[0]


def test_a_recording_of_plain_pods_keeps_one_review_of_each() -> None:
    pods = plain_pods()
    samples = collect_samples(record_all(PERFECT, [*pods, *pods, *pods]))

    assert [sample.count for sample in samples.chosen(10)] == [3] * len(pods)
