"""Is nothing called a loss that an API server without any webhook does to a pod?

The shipped seeds and the pods of a whole sweep, which carry every field there is, are created in
dry runs where no webhook is called: what is missing afterwards can only be a feature gate's.
"""

import asyncio
from collections.abc import Iterator

import pytest

from testbed.clusters import administrator
from testbed.control_planes import NEWEST, build_control_plane, minors_under_test
from testbed.fixtures import past_capture, shared_control_plane
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.probes.loading import Probe
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.chains.attributions import Evidence, Taker, attribute
from webhook_fuzz.fuzzer.chains.losses import find_losses
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.generation.packing import pack_sweep
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.transports.dry_run import Created, dry_run_pod

pytestmark = pytest.mark.real

NAMESPACE = "without-webhooks"


@pytest.fixture(scope="module", params=minors_under_test(), ids=str)
def minor(request: pytest.FixtureRequest) -> Minor:
    found: Minor = request.param
    return found


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest, minor: Minor) -> ControlPlane:
    found = shared_control_plane(request.config, minor)
    administrator(found).create_namespace(NAMESPACE)
    return found


def is_known(probe: Probe, minor: Minor, catalogue: Catalogue) -> bool:
    """Whether the API of a minor has all fields of a probe, and their gates."""
    fields = [catalogue.get(path) for path in probe.all_paths()]
    return all(
        field is not None
        and field.exists_in(minor)
        and (field.gate is None or load_gates()[field.gate].stage(minor) is not None)
        for field in fields
    )


async def blamed(plane: ControlPlane, minor: Minor) -> list[str]:
    """What is missing of any pod and is not a gate's doing."""
    plan = build_plan(minor)
    known = {
        name: probe for name, probe in plan.probes.items() if is_known(probe, minor, plan.catalogue)
    }
    sweep = pack_sweep(plan.seeds, known, plan.schema)
    seeds = {f"seed {seed.name}": seed.pod for seed in plan.seeds}
    pods = {**seeds, **{case.name: case.pod for case in sweep.cases}}
    assert len(pods) > 20

    async with Cluster(ClusterOptions(kubeconfig=plane.kubeconfig)) as cluster:

        async def judge(name: str, pod: JsonObject) -> list[str]:
            run = await dry_run_pod(cluster, pod, namespace=NAMESPACE)
            assert isinstance(run.outcome, Created), f"{name}: {run.outcome}"
            attributes = pod_attributes(run.sent, namespace=NAMESPACE)
            evidence = Evidence(webhooks=(), attributes=attributes, api_server=minor)
            losses = find_losses(run.sent, run.outcome.pod, plan.catalogue)
            return [
                f"{name}: {found.loss.fate} {found.loss.path} {found.sentence}"
                for found in attribute(losses, evidence)
                if found.taker is not Taker.GATE
            ]

        found = await asyncio.gather(*(judge(name, pod) for name, pod in pods.items()))
    return [sentence for sentences in found for sentence in sentences]


async def test_only_gates_take_fields_where_there_is_no_webhook(
    plane: ControlPlane, minor: Minor
) -> None:
    assert await blamed(plane, minor) == []


@pytest.fixture(scope="module")
def busy_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One whose in-tree plugins change every pod."""
    programs = build_control_plane(NEWEST, past_capture(request.config))
    plugins = "AlwaysPullImages,PodNodeSelector,PodTolerationRestriction"
    options = ControlPlaneOptions(
        disabled_admission_plugins=(), apiserver_flags=(f"--enable-admission-plugins={plugins}",)
    )
    with control_plane(programs, options=options) as running:
        admin, path = administrator(running), f"/api/v1/namespaces/{NAMESPACE}"
        admin.create_namespace(NAMESPACE)
        secrets: JsonObject = {"imagePullSecrets": [{"name": "pull"}]}
        admin.create(f"{path}/serviceaccounts", {"metadata": {"name": "default"}, **secrets})
        limit: JsonObject = {"type": "Container", "default": {"cpu": "2", "memory": "4Gi"}}
        admin.create(
            f"{path}/limitranges", {"metadata": {"name": "limits"}, "spec": {"limits": [limit]}}
        )
        yield running


async def test_in_tree_plugins_take_nothing(busy_plane: ControlPlane) -> None:
    assert await blamed(busy_plane, NEWEST) == []
