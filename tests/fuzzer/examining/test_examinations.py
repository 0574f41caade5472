"""What does an examination of a whole cluster find, with what the cluster hides as well?"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from examined_clusters import (
    SLICES,
    WEBHOOK,
    WEBHOOKS,
    ExaminedCluster,
    gone,
    keep,
    metrics,
    node,
    off,
    on,
    refuse_unknown,
    strip,
)
from examined_clusters import replicas as replica_slices
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.examining.examinations import examine_cluster
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.suspecting import Suspects
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.strategies import Fit
from webhook_fuzz.fuzzer.readiness.survivals import Survival

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OPTIONS = ExaminationOptions(gate=load_gates()["SidecarContainers"], now=NOW)
KUBELETS = {
    "old": node("old", "v1.27.16"),
    "off": node("off", "v1.28.9"),
    "beta": node("beta", "v1.29.6"),
    "ga": node("ga", "v1.33.13"),
    "late": node("late", "v1.36.3"),
}


def codes(found: Examination) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject) for finding in found.findings]


def labels(found: Examination) -> dict[str, str]:
    return {
        member.node.name: group.answer.label
        for group in found.groups or ()
        for member in group.members
    }


async def test_nodes_of_five_minors_are_told_apart_by_their_metrics() -> None:
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=list(KUBELETS.values()),
        kubelets={
            "old": metrics(),
            "off": off(),
            "beta": on(),
            "ga": on(""),
            "late": gone(),
        },
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert labels(found) == {
        "old": "off",
        "off": "off",
        "beta": "on",
        "ga": "on (locked)",
        "late": "on (locked)",
    }
    assert codes(found) == [
        ("WF702", "node old"),
        ("WF703", "node off"),
        ("WF706", "nodes"),
    ]
    assert found.not_seen == ()
    assert found.servers[0].answer.label == "on (locked)"
    assert found.probe is not None
    assert found.probe.survival is Survival.PRESENT


@pytest.mark.parametrize(
    "silent", [(403, "Forbidden (user=x, verb=get, resource=nodes)"), (503, "connection refused")]
)
async def test_kubelets_that_do_not_answer_are_taken_by_version_and_the_gap_is_told(
    silent: tuple[int, str],
) -> None:
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=list(KUBELETS.values()),
        kubelets=dict.fromkeys(KUBELETS, silent),
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert labels(found) == {
        "old": "off",
        "off": "off by default",
        "beta": "on by default",
        "ga": "on (locked)",
        "late": "on (locked)",
    }
    # Only those two depend on what was not seen, and are one line.
    assert [unseen.what for unseen in found.not_seen] == ["metrics of node beta and 1 other node"]
    assert [code for code, _ in codes(found)] == ["WF702", "WF702", "WF706"]


async def test_when_rbac_forbids_the_node_proxy_one_kubelet_is_asked_and_not_a_thousand() -> None:
    refusal = (403, 'nodes "beta" is forbidden: User "r" cannot get resource "nodes/proxy"')
    many = [node(f"n{number:03}", "v1.30.1") for number in range(200)]
    cluster = ExaminedCluster(metrics=gone(), nodes=many, refusals={"/api/v1/nodes/": refusal})

    found = await examine_cluster(cluster, OPTIONS)

    asked = [each for each in cluster.asked if each.path.endswith("/proxy/metrics")]
    assert len(asked) <= OPTIONS.concurrency
    assert len(found.groups or ()) == 1
    assert found.not_seen[0].trouble is Trouble.FORBIDDEN


async def test_a_kubelet_that_refuses_by_itself_does_not_silence_the_others() -> None:
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=[KUBELETS["beta"], KUBELETS["off"]],
        kubelets={
            "beta": (403, "Forbidden (user=x, verb=get, resource=nodes)"),
            "off": on("ALPHA"),
        },
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert labels(found) == {"beta": "on by default", "off": "on"}


async def test_without_permission_to_list_nodes_nothing_is_said_about_them() -> None:
    cluster = ExaminedCluster(
        metrics=gone(), refusals={"/api/v1/nodes": (403, "nodes is forbidden")}
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert found.groups is None
    assert found.room is None
    assert found.strategy is not None
    assert found.strategy.fit is Fit.UNKNOWN
    assert [unseen.what for unseen in found.not_seen] == ["nodes"]


async def test_pods_that_cannot_be_listed_leave_the_room_unknown() -> None:
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=[KUBELETS["late"]],
        kubelets={"late": gone()},
        refusals={"/api/v1/pods": (403, "pods is forbidden")},
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert found.room is not None
    assert found.room.pods is None
    assert [unseen.what for unseen in found.not_seen] == ["pods"]


async def test_the_room_counts_open_nodes_without_the_pods_that_ended() -> None:
    def pod(name: str, phase: str, where: str = "a") -> JsonObject:
        return {
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": where},
            "status": {"phase": phase},
        }

    taints = [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=[
            node("a", "v1.33.1", pods="10"),
            node("b", "v1.33.1", taints=taints),
            node("c", "v1.33.1", unschedulable=True),
            node("d", "v1.33.1", ready="False"),
        ],
        kubelets={name: on("") for name in "abcd"},
        pods=[
            pod("r", "Running"),
            pod("p", "Pending"),
            pod("s", "Succeeded"),
            pod("w", "Running", ""),
        ],
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert found.room is not None
    assert (found.room.capable, found.room.open, found.room.pods) == (3, 1, 8)
    assert found.room.taints == ("team=ml:NoSchedule",)
    assert found.pods_looked_at == 4


async def test_an_api_server_without_the_field_is_wf701_and_refuses_the_probe() -> None:
    cluster = ExaminedCluster(version="v1.27.16", metrics=gone(), admit=refuse_unknown)

    found = await examine_cluster(cluster, OPTIONS)

    assert codes(found) == [("WF701", "API server v1.27.16")]
    assert found.probe is not None
    assert found.probe.survival is Survival.REFUSED
    assert found.strategy is not None
    assert found.strategy.fit is Fit.WAIT


async def test_a_field_dropped_by_a_gate_is_never_blamed_on_a_webhook() -> None:
    cluster = ExaminedCluster(version="v1.28.9", metrics=off(), admit=strip, webhooks=[WEBHOOK])

    found = await examine_cluster(cluster, OPTIONS)

    assert codes(found) == [("WF703", "API server v1.28.9")]
    assert found.probe is not None
    assert found.probe.survival is Survival.DROPPED_BY_GATE
    assert found.probe.suspects == ()


async def test_a_field_lost_with_the_gate_on_names_the_webhooks_that_match() -> None:
    cluster = ExaminedCluster(metrics=gone(), admit=strip, webhooks=[WEBHOOK])

    found = await examine_cluster(cluster, OPTIONS)

    assert codes(found) == [("WF101", "mutating admission in namespace default")]
    assert "strippers/strip.example.com" in found.findings[0].explanation
    assert found.findings[0].path == "spec.initContainers[name=wf-sidecar].restartPolicy"


async def test_a_field_lost_with_an_unseen_gate_is_left_open() -> None:
    cluster = ExaminedCluster(
        version="v1.29.6", metrics=(403, "forbidden"), admit=strip, webhooks=[WEBHOOK]
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert found.probe is not None
    assert found.probe.survival is Survival.LOST_OR_DROPPED
    assert found.probe.suspects == ("strippers/strip.example.com",)
    assert codes(found) == []
    assert {unseen.what for unseen in found.not_seen} == {
        "who took the field",
        "metrics of the API server",
    }


async def test_a_field_lost_where_no_webhook_is_called_was_dropped_by_the_gate() -> None:
    cluster = ExaminedCluster(version="v1.29.6", metrics=(403, "forbidden"), admit=strip)

    found = await examine_cluster(cluster, OPTIONS)

    assert found.probe is not None
    assert found.probe.survival is Survival.DROPPED_BY_GATE


async def test_a_field_lost_with_the_gate_on_and_no_webhook_is_not_the_gates_doing() -> None:
    found = await examine_cluster(ExaminedCluster(metrics=gone(), admit=strip), OPTIONS)

    assert codes(found) == [("WF101", "mutating admission in namespace default")]
    assert "a MutatingAdmissionPolicy took it away" in found.findings[0].evidence


async def test_webhooks_that_cannot_be_listed_are_a_gap_beside_the_loss() -> None:
    cluster = ExaminedCluster(metrics=gone(), admit=strip, refusals={WEBHOOKS: (403, "forbidden")})

    found = await examine_cluster(cluster, OPTIONS)

    assert "somebody in mutating admission who is not known" in found.findings[0].explanation
    assert [unseen.what for unseen in found.not_seen] == ["mutating webhook configurations"]


async def test_a_probe_that_podsecurity_refuses_is_a_gap_and_no_finding() -> None:
    cluster = ExaminedCluster(
        metrics=gone(), admit=lambda _: (403, 'pods "x" is forbidden: violates PodSecurity')
    )

    found = await examine_cluster(cluster, OPTIONS)

    assert found.findings == ()
    assert [unseen.what for unseen in found.not_seen] == [
        "whether the field survives in namespace default"
    ]
    assert "PodSecurity" in found.not_seen[0].why


async def test_somebody_else_may_say_who_took_the_field() -> None:
    class Knowing:
        async def suspects(
            self, pod: JsonObject, lost: tuple[str, ...], *, namespace: str
        ) -> Suspects:
            assert pod
            assert lost
            return Suspects(webhooks=("a/b",), how=f"Called in {namespace}.", complete=True)

    cluster = ExaminedCluster(metrics=gone(), admit=strip)
    options = ExaminationOptions(gate=OPTIONS.gate, now=NOW, attribution=Knowing())

    found = await examine_cluster(cluster, options)

    assert found.probe is not None
    assert (found.probe.suspects, found.probe.how) == (("a/b",), "Called in default.")


async def test_an_emulated_version_counts_and_not_the_binarys() -> None:
    cluster = ExaminedCluster(version="v1.37.2", emulated="1.27", metrics=gone())

    found = await examine_cluster(cluster, OPTIONS)

    assert codes(found)[0][0] == "WF701"


async def test_every_replica_is_asked_and_the_weakest_speaks_for_all() -> None:
    replicas = {
        "10.0.0.1:6443": ExaminedCluster(version="v1.29.1", metrics=on()),
        "10.0.0.2:6443": ExaminedCluster(version="v1.28.9", metrics=off()),
    }

    @asynccontextmanager
    async def direct(address: str) -> AsyncGenerator[ClusterApi]:
        yield replicas[address]

    front = ExaminedCluster(
        version="v1.29.1", metrics=on(), slices=replica_slices("10.0.0.1", "10.0.0.2"), admit=keep
    )
    options = ExaminationOptions(gate=OPTIONS.gate, now=NOW, direct=direct)

    found = await examine_cluster(front, options)

    assert [server.address for server in found.servers] == list(replicas)
    assert codes(found) == [("WF703", "API server 10.0.0.2:6443")]
    assert found.strategy is not None
    assert found.strategy.fit is Fit.WAIT
    assert any(each.path == SLICES for each in front.asked)


async def test_replicas_that_cannot_be_reached_are_counted_and_named() -> None:
    @asynccontextmanager
    async def direct(address: str) -> AsyncGenerator[ClusterApi]:
        if address.startswith("10.0.0.2"):
            raise cluster_error("GET /version", "no route", Trouble.UNREACHABLE)
        yield ExaminedCluster(version="v1.33.1", metrics=on(""))

    front = ExaminedCluster(
        version="v1.33.1", metrics=on(""), slices=replica_slices("10.0.0.1", "10.0.0.2", "fd00::1")
    )
    options = ExaminationOptions(gate=OPTIONS.gate, now=NOW, direct=direct)

    found = await examine_cluster(front, options)

    assert found.replicas == 3
    assert [server.address for server in found.servers] == ["", "10.0.0.1:6443", "[fd00::1]:6443"]
    assert [unseen.what for unseen in found.not_seen] == ["API server 10.0.0.2:6443"]


async def test_without_the_endpoints_the_number_of_replicas_is_not_known() -> None:
    cluster = ExaminedCluster(metrics=gone(), refusals={SLICES: (403, "forbidden")})

    found = await examine_cluster(cluster, OPTIONS)

    assert found.replicas is None
    assert [unseen.what for unseen in found.not_seen] == ["the API server's replicas"]


async def test_an_api_server_without_a_version_ends_the_examination() -> None:
    cluster = ExaminedCluster(refusals={"/version": (500, "broken")})

    with pytest.raises(ClusterError):
        await examine_cluster(cluster, OPTIONS)


async def test_kubelets_are_left_alone_where_only_the_scheduler_acts() -> None:
    gate = load_gates()["MinDomainsInPodTopologySpread"]
    cluster = ExaminedCluster(metrics=gone(), nodes=[node("old", "v1.20.1")])

    found = await examine_cluster(cluster, ExaminationOptions(gate=gate, now=NOW))

    assert found.findings == ()
    assert not [each for each in cluster.asked if "proxy" in each.path]
    assert found.strategy is not None
    assert found.strategy.fit is Fit.SWITCH


async def test_a_feature_without_a_field_has_no_probe() -> None:
    gate = load_gates()["RelaxedEnvironmentVariableValidation"]
    said: list[str] = []
    options = ExaminationOptions(gate=gate, now=NOW, progress=said.append)

    found = await examine_cluster(ExaminedCluster(metrics=gone()), options)

    assert found.probe is None
    assert "asking the API servers" in said


@pytest.mark.parametrize("gate", load_gates().values(), ids=lambda gate: gate.name)
async def test_every_known_feature_can_be_examined(gate: object) -> None:
    chosen = next(each for each in load_gates().values() if each is gate)
    cluster = ExaminedCluster(metrics=gone(), nodes=list(KUBELETS.values()))

    found = await examine_cluster(cluster, ExaminationOptions(gate=chosen, now=NOW))

    assert found.gate is chosen
    if found.probe is not None:
        assert found.probe.survival is Survival.PRESENT
