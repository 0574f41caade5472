"""How recorded pods become seeds, whatever they hold."""

from collections import Counter
from typing import cast

import pytest

from fakes import specimen_transport
from replayed import PLAIN_SEEDS, creation, plain_pods, record_all, recorded
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.enriching import (
    UNUSABLE,
    AskedByTheirUsers,
    make_seeds,
    plan_for,
    seed_of,
    users_of,
)
from webhook_fuzz.fuzzer.recorded.shapes import Sample, collect_samples
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS

PERFECT = SPECIMENS["perfect"].answer
PLAN = build_plan()


def sample_of(pod: JsonObject) -> Sample:
    review = creation(pod)
    (sample,) = collect_samples([recorded(review, lambda _: PERFECT(creation({})))]).chosen(1)
    return sample


def test_a_recorded_pod_takes_every_probe_a_shipped_seed_takes() -> None:
    samples = collect_samples(record_all(PERFECT, plain_pods())).chosen(10)
    seeds = make_seeds([(sample, True) for sample in samples], PLAN.schema, Counter())
    plan = plan_for(seeds, None, 0)
    probed = frozenset[str]().union(*(case.fields for case in plan.sweep.cases))
    shipped = frozenset[str]().union(*(case.fields for case in PLAN.sweep.cases))

    assert len(seeds) == len(PLAIN_SEEDS)
    assert probed == shipped


def test_the_smallest_pod_that_is_patched_comes_first_for_it_confirms() -> None:
    samples = collect_samples(record_all(PERFECT, plain_pods())).chosen(10)
    smallest = min(samples, key=lambda sample: len(sample.encoded))
    judged = [(sample, sample is not smallest) for sample in samples]
    first, *_, last = make_seeds(judged, PLAN.schema, Counter())

    assert last.name == f"recorded-{smallest.number}"
    assert first.name != last.name


def test_what_belongs_to_the_one_recorded_object_is_taken_off() -> None:
    pod = plain_pods()[0]
    metadata: JsonObject = {
        **object_at(pod, "metadata"),
        "uid": "1",
        "managedFields": [{"manager": "kubectl"}],
        "creationTimestamp": None,
        "labels": {"app": "cart"},
    }
    seed = seed_of(sample_of({**pod, "metadata": metadata}), PLAN.schema)

    assert seed is not None
    kept = object_at(seed.pod, "metadata")
    assert kept["labels"] == {"app": "cart"}
    assert kept.keys().isdisjoint({"uid", "managedFields", "creationTimestamp"})


def test_a_pod_without_defaults_of_an_old_recording_has_them_in_the_plan() -> None:
    pod: JsonObject = {
        "metadata": {"name": "cart"},
        "spec": {"containers": [{"name": "app", "image": "cart:1"}]},
    }
    seed = seed_of(sample_of(pod), PLAN.schema)

    assert seed is not None
    (defaulted,) = plan_for([seed], None, 0).seeds
    (container,) = objects_at(object_at(defaulted.pod, "spec"), "containers")
    assert container["terminationMessagePolicy"] == "File"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"containers": []},
        {"containers": None},
        {"containers": "app"},
        {"containers": ["app"]},
        {"containers": [{"image": "a"}]},
        {"containers": [{"name": "app"}, {"name": "app"}]},
        {"containers": [{"name": "app"}], "initContainers": [1]},
        {"containers": [{"name": "app"}], "hostNetwork": "yes"},
        {"containers": [{"name": "app", "env": {"A": "b"}}]},
    ],
)
def test_a_pod_no_api_server_could_create_is_counted(spec: JsonValue) -> None:
    pod: JsonObject = {
        "metadata": {"name": "cart"},
        "spec": {"a": "member", **cast("JsonObject", spec)},
    }
    left_out = Counter[str]()
    seeds = make_seeds([(sample_of(pod), True)], PLAN.schema, left_out)

    assert seeds == ()
    assert left_out == {UNUSABLE: 1}


@pytest.mark.parametrize(
    "spec",
    [
        {"initContainers": None, "volumes": None, "securityContext": None},
        {"containers": [{"name": "app", "image": "a", "resources": None, "env": None}]},
    ],
)
def test_nulls_mean_absence_and_every_probe_still_has_its_place(spec: JsonObject) -> None:
    pod = plain_pods()[0]
    nulls: JsonObject = {**pod, "spec": {**object_at(pod, "spec"), **spec}}
    seed = seed_of(sample_of(nulls), PLAN.schema)

    assert seed is not None
    assert not plan_for([seed], None, 0).sweep.unplaced


async def test_a_pod_is_asked_for_by_who_did_when_it_was_recorded() -> None:
    samples = collect_samples(record_all(PERFECT, plain_pods())).chosen(10)
    transport = specimen_transport(PERFECT)
    asked = AskedByTheirUsers(transport=transport, users=users_of(samples))
    review = samples[0].review
    request: JsonObject = {**object_at(review, "request"), "userInfo": {"username": "admin"}}
    await asked.send({**review, "request": request})

    assert object_at(transport.reviews[0], "request", "userInfo") == {
        "username": "system:serviceaccount:kube-system:replicaset-controller"
    }
