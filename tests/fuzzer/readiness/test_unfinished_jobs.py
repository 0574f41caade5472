"""Which Jobs are kept from finishing by an injected container?"""

import pytest

from stuck_pods import NOW, job, job_pod
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.readiness.unfinished_jobs import find_unfinished, may_be_unfinished


def test_a_job_whose_own_containers_ended_is_held_up_by_the_injected_one() -> None:
    pod = job_pod(("main", 900), ("istio-proxy", "running"))

    assert may_be_unfinished(pod)
    found = find_unfinished(pod, [job("main")], NOW)

    assert found is not None
    assert (found.job, found.pod, found.containers) == ("import", "import-x", ("istio-proxy",))
    assert found.seconds == 900


@pytest.mark.parametrize(
    ("pod", "owners"),
    [
        (job_pod(("main", "running"), ("istio-proxy", 900)), [job("main")]),  # still at work
        (job_pod(("main", 900), ("second", "running")), [job("main", "second")]),  # its own
        (job_pod(("main", 5), ("istio-proxy", "running")), [job("main")]),  # just ended
        (job_pod(("main", 900), ("istio-proxy", 800)), [job("main")]),  # all ended
        (job_pod(("main", 900), ("istio-proxy", "running")), []),  # template not seen
    ],
)
def test_a_job_that_may_still_finish_is_left_alone(
    pod: JsonObject, owners: list[JsonObject]
) -> None:
    assert find_unfinished(pod, owners, NOW) is None


def test_a_deployment_never_finishes_anyway() -> None:
    assert not may_be_unfinished(job_pod(("a", 900), ("b", "running"), owner="ReplicaSet"))
    assert not may_be_unfinished(job_pod(("a", "running"), ("b", "running")))
    assert not may_be_unfinished({"status": {"phase": "Running"}})


def test_a_time_that_is_none_counts_as_now() -> None:
    pod = job_pod(("main", 900), ("istio-proxy", "running"))
    statuses = pod["status"]
    assert isinstance(statuses, dict)
    statuses["containerStatuses"] = [
        {"name": "main", "state": {"terminated": {"exitCode": 0}}},
        {"name": "istio-proxy", "state": {"running": {}}},
    ]

    assert find_unfinished(pod, [job("main")], NOW) is None
