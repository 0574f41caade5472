"""Does the text of an examination fit a terminal, and is nothing in it dangerous?"""

import re
from datetime import UTC, datetime

import pytest

from examined_clusters import ExaminedCluster, gone, metrics, node, on, replicas, strip
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.fuzzer.examining.examinations import examine_cluster
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.reports.readiness_texts import render_examination

NOW = datetime(2026, 11, 24, tzinfo=UTC)


async def examine(cluster: ExaminedCluster, gate: str = "SidecarContainers") -> Examination:
    return await examine_cluster(cluster, ExaminationOptions(gate=load_gates()[gate], now=NOW))


async def test_the_whole_of_it_reads_like_this() -> None:
    taints = [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    cluster = ExaminedCluster(
        version="v1.37.2",
        emulated="1.33",
        metrics=on(""),
        nodes=[
            node("a", "v1.33.1", labels={"agentpool": "new"}, pods="10"),
            node("b", "v1.33.1", labels={"agentpool": "new"}, taints=taints, unschedulable=True),
            node("c", "v1.29.1", labels={"agentpool": "new"}, taints=taints),
            node("d", "v1.27.1", labels={"agentpool": "old"}),
        ],
        kubelets={"a": on(""), "b": on(""), "c": on(), "d": metrics()},
    )

    text = render_examination(await examine(cluster))

    assert (
        text
        == """\
SidecarContainers: alpha 1.28 (off by default); beta 1.29 (on by default); GA 1.33

COMPONENT             VERSION            ANSWER       HOW IT IS KNOWN
API server            v1.37.2 (as 1.33)  on (locked)  metric kubernetes_feature_enabled is 1, stage
                                                      GA
node d                1.27               off          1.27 does not have it: it came with 1.28
node c                1.29               on           metric kubernetes_feature_enabled is 1, stage
                                                      BETA
2 nodes (1 cordoned)  1.33               on (locked)  metric kubernetes_feature_enabled is 1, stage
                                                      GA

Room     2 schedulable nodes can run it, 1 open to any pod, 1 to those that tolerate
         team=ml:NoSchedule; the open ones have room for 10 pods.
Skew     nodes of 1.27 (d): kubelet 1.27 is 6 minors older than the API server (1.33); 3 are
         allowed.
Skew     nodes of 1.29 (c): kubelet 1.29 is 4 minors older than the API server (1.33); 3 are
         allowed.
Probe    in default: present. Every field came through admission.

error    WF702 node-too-old
         node d: kubelet 1.27, too old for it: the kubelet does not know the field and ignores it.
         1.27 does not have it: it came with 1.28.
         → Upgrade the nodes to 1.29 or later, or keep such pods away from them.

warning  WF706 mixed-nodes
         nodes: Of the schedulable nodes 2 can run it, 1 cannot: where a pod lands decides whether
         it works.
         2 of 3 schedulable nodes can, and the label agentpool tells them apart (new).
         → Give pods that use the feature this affinity; inject the old way elsewhere.

Way to adopt it: labelled node pools with affinity
         2 of 3 schedulable nodes can, and the label agentpool tells them apart (new).
         Give pods that use the feature this affinity; inject the old way elsewhere.

spec:
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions:
          - key: agentpool
            operator: In
            values:
            - new

webhook-fuzz explain WF702 says more, as for every code.
"""
    )


@pytest.mark.parametrize("width", [60, 80, 100, 200])
async def test_no_line_is_wider_than_asked(width: int) -> None:
    cluster = ExaminedCluster(
        metrics=(403, "forbidden " * 30),
        nodes=[node("n" * 80, "v1.29.1"), node("old", "v1.27.1", unschedulable=True)],
        version="v1.29.1",
        admit=strip,
    )

    text = render_examination(await examine(cluster), width=width)

    assert max(map(len, text.splitlines())) <= width


async def test_names_from_the_cluster_cannot_steer_a_terminal() -> None:
    cluster = ExaminedCluster(
        metrics=gone(), nodes=[node("evil\x1b[2J", "v1.27.1")], kubelets={"evil\x1b[2J": gone()}
    )

    found = await examine(cluster)

    assert "\x1b" not in render_examination(found)
    assert re.findall(r"\x1b\[[0-9;]*m", render_examination(found, colour=True))
    assert "\x1b[2J" not in render_examination(found, colour=True)


async def test_who_acts_on_a_feature_is_told_where_no_kubelet_does() -> None:
    found = await examine(ExaminedCluster(metrics=gone()), "MinDomainsInPodTopologySpread")

    assert "no kubelet acts on it, kube-scheduler does" in render_examination(found)


async def test_replicas_that_were_not_asked_are_counted() -> None:
    cluster = ExaminedCluster(metrics=gone(), slices=replicas("10.0.0.1", "10.0.0.2"))

    text = render_examination(await examine(cluster))

    assert "1 of 2 API servers were asked; the others may differ." in text


async def test_room_that_is_not_known_is_said_to_be() -> None:
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=[node("a", "v1.36.1", pods=None)],
        kubelets={"a": gone()},
        refusals={"/api/v1/pods": (403, "no")},
    )

    text = render_examination(await examine(cluster))

    assert "how many pods fit is not known" in text
    assert "No findings." in text
