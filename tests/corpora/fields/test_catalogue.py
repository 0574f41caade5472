"""Does the catalogue know every pod field, since when, and behind which gate?

The numbers are those of the published clients; they change only when a minor is added.
"""

import hashlib
from collections import Counter

import pytest

from webhook_fuzz.corpora.fields.catalogue import Catalogue, Field, load_catalogue
from webhook_fuzz.corpora.fields.gates import Gate, load_gates
from webhook_fuzz.corpora.fields.lifecycles import Mutability, mutability, why_not_creatable
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.fields.unions import is_union_member
from webhook_fuzz.corpora.versions import Minor

CATALOGUE: Catalogue = load_catalogue()

# minor: (new paths, new roots)
NEW = {
    19: (921, 0), 21: (33, 13), 22: (10, 7), 23: (29, 10), 24: (1, 1), 25: (4, 4), 26: (16, 7),
    27: (9, 3), 28: (3, 3), 29: (32, 16), 30: (15, 7), 31: (9, 7), 32: (7, 2), 33: (3, 3),
    34: (38, 8), 35: (5, 2), 36: (2, 1), 37: (44, 42),
}  # fmt: skip
ALL_PATHS_SHA256 = "438319cf0cc3ac63d47e02009b3dddb49f9f1c8f1b1c07a72b62734febebd2c4"


def field(path: str) -> Field:
    found = CATALOGUE.get(path)
    assert found is not None, path
    return found


def schema_at(minor: int, path: str) -> FieldSchema:
    schema = CATALOGUE.schema(Minor(1, minor))
    for step in path.split("."):
        schema = schema.members[step.removesuffix("[]").removesuffix("{}")]
        if step.endswith(("[]", "{}")):
            assert schema.element is not None
            schema = schema.element
    return schema


def test_every_minor_brought_as_many_paths_and_roots_as_its_client_shows() -> None:
    paths = Counter(entry.since.minor for entry in CATALOGUE.fields)
    roots = Counter(entry.since.minor for entry in CATALOGUE.new_roots())
    assert {minor: (paths[minor], roots[minor]) for minor in paths} == NEW


def test_the_set_of_all_paths_is_the_one_that_was_read() -> None:
    paths = "\n".join(sorted({entry.path for entry in CATALOGUE.fields}))
    assert hashlib.sha256(paths.encode()).hexdigest() == ALL_PATHS_SHA256


def test_every_minor_from_the_first_to_the_newest_was_read_from_a_client() -> None:
    minors = sorted(CATALOGUE.sources)
    assert minors == [Minor(1, minor) for minor in range(minors[0].minor, 38)]
    assert CATALOGUE.newest == Minor(1, 37)


def test_fields_are_sorted_and_every_parent_is_there() -> None:
    paths = [entry.path for entry in CATALOGUE.fields]
    assert paths == sorted(paths)
    for entry in CATALOGUE.fields:
        assert entry.parent in {"metadata", "spec"} or CATALOGUE.get(entry.parent), entry.path


@pytest.mark.parametrize(
    ("path", "since", "owner"),
    [
        ("spec.initContainers[].restartPolicy", 28, "Container.restartPolicy"),
        ("spec.containers[].restartPolicyRules", 34, "Container.restartPolicyRules"),
        ("spec.volumes[].image", 31, "Volume.image"),
        ("spec.hostUsers", 25, "PodSpec.hostUsers"),
        ("spec.containers[].livenessProbe.grpc", 23, "Probe.grpc"),
        ("spec.containers[].image", 19, "Container.image"),
    ],
)
def test_a_field_is_known_with_its_minor_and_its_struct(path: str, since: int, owner: str) -> None:
    assert (field(path).since, field(path).owner) == (Minor(1, since), owner)


@pytest.mark.parametrize(
    ("path", "gate"),
    [
        ("spec.initContainers[].restartPolicy", "SidecarContainers"),
        ("spec.containers[].restartPolicy", "ContainerRestartRules"),
        ("spec.containers[].restartPolicyRules", "ContainerRestartRules"),
        ("spec.containers[].restartPolicyRules[].exitCodes.values", "ContainerRestartRules"),
        ("spec.volumes[].image", "ImageVolume"),
        ("spec.volumes[].image.reference", "ImageVolume"),
        ("spec.hostUsers", "UserNamespacesSupport"),
        ("spec.containers[].lifecycle.stopSignal", "ContainerStopSignals"),
        ("spec.containers[].image", None),
    ],
)
def test_a_field_knows_the_gate_of_itself_or_of_what_it_is_part_of(
    path: str, gate: str | None
) -> None:
    assert field(path).gate == gate


def test_every_guarded_member_is_in_the_catalogue() -> None:
    known = {entry.path for entry in CATALOGUE.fields} | {e.owner for e in CATALOGUE.fields}
    guarded = {member for gate in load_gates().values() for member in gate.fields}
    assert guarded <= known


@pytest.mark.parametrize("gate", load_gates().values(), ids=lambda gate: gate.name)
def test_a_gates_stages_are_in_order(gate: Gate) -> None:
    minors = [stage.since for stage in gate.stages]
    assert minors == sorted(set(minors))
    ranks = [("alpha", "beta", "GA").index(stage.name) for stage in gate.stages]
    assert ranks == sorted(ranks)


def test_a_gate_is_on_by_default_from_the_minor_its_stage_says() -> None:
    gate = load_gates()["SidecarContainers"]
    assert gate.stage(Minor(1, 27)) is None
    assert not gate.enabled_by_default(Minor(1, 28))
    assert gate.enabled_by_default(Minor(1, 29))
    assert str(gate.stage(Minor(1, 28))) == "alpha 1.28 (off by default)"
    assert str(gate.stage(Minor(1, 40))) == "GA 1.33"


def test_what_was_removed_is_known_with_its_last_minor() -> None:
    reference = field("spec.workloadRef")
    assert (reference.since, reference.removed) == (Minor(1, 35), Minor(1, 36))
    assert reference.exists_in(Minor(1, 35))
    assert not reference.exists_in(Minor(1, 36))
    removed = Counter(str(entry.removed) for entry in CATALOGUE.fields if entry.removed)
    assert removed == {"1.21": 1, "1.25": 2, "1.29": 2, "1.31": 3, "1.36": 4}


@pytest.mark.parametrize(
    ("path", "creatable"),
    [
        ("spec.containers[].image", True),
        ("spec.initContainers[].restartPolicy", True),
        ("metadata.uid", False),
        ("metadata.managedFields[].manager", False),
        ("spec.ephemeralContainers[].name", False),
        ("spec.containers[].readinessProbe.terminationGracePeriodSeconds", False),
        ("spec.containers[].livenessProbe.terminationGracePeriodSeconds", True),
        ("spec.resources.claims[].name", False),
        ("spec.resources.limits", True),
        ("spec.volumes[].ephemeral.volumeClaimTemplate.metadata.labels", True),
        ("spec.volumes[].ephemeral.volumeClaimTemplate.metadata.name", False),
    ],
)
def test_what_no_new_pod_can_carry_is_known_with_the_reason(
    path: str,
    creatable: bool,  # noqa: FBT001
) -> None:
    assert field(path).creatable is creatable
    assert (why_not_creatable(path) is None) is creatable


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("metadata.labels", Mutability.MUTABLE),
        ("metadata.uid", Mutability.SYSTEM),
        ("spec.containers[].image", Mutability.MUTABLE),
        ("spec.containers[].imagePullPolicy", Mutability.IMMUTABLE),
        ("spec.containers[].resources.limits", Mutability.RESIZE),
        ("spec.tolerations[].key", Mutability.ADDITIONS),
        ("spec.schedulingGates[].name", Mutability.REMOVALS),
        ("spec.nodeSelector", Mutability.WHILE_GATED),
        ("spec.ephemeralContainers[].image", Mutability.EPHEMERAL),
        ("spec.hostUsers", Mutability.IMMUTABLE),
    ],
)
def test_what_an_update_may_do_is_known(path: str, rule: Mutability) -> None:
    assert mutability(path) is rule
    assert field(path).mutability is rule


class TestSchemas:
    def test_have_what_their_minor_has(self) -> None:
        assert "restartPolicy" not in schema_at(27, "spec.containers[]").members
        assert "restartPolicy" in schema_at(28, "spec.containers[]").members
        assert "workloadRef" in schema_at(35, "spec").members
        assert "workloadRef" not in schema_at(36, "spec").members

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("spec.containers[].resources.limits{}", Kind.QUANTITY),
            ("spec.initContainers[].resources.requests{}", Kind.QUANTITY),
            ("spec.overhead{}", Kind.QUANTITY),
            ("spec.resources.limits{}", Kind.QUANTITY),
            ("spec.volumes[].emptyDir.sizeLimit", Kind.QUANTITY),
            ("spec.containers[].env[].valueFrom.resourceFieldRef.divisor", Kind.QUANTITY),
            ("spec.containers[].livenessProbe.httpGet.port", Kind.INT_OR_STRING),
            ("spec.containers[].livenessProbe.grpc.port", Kind.INTEGER),
            ("metadata.creationTimestamp", Kind.TIME),
            ("metadata.labels", Kind.MAP),
            ("spec.hostUsers", Kind.BOOLEAN),
            ("spec.containers", Kind.LIST),
            ("status", Kind.ANY),
        ],
    )
    def test_know_the_go_kind_behind_the_openapi_type(self, path: str, kind: Kind) -> None:
        assert schema_at(37, path).kind is kind

    @pytest.mark.parametrize(
        ("path", "keys"),
        [
            ("spec.containers", ("name",)),
            ("spec.ephemeralContainers[].env", ("name",)),
            ("spec.initContainers[].ports", ("containerPort", "protocol")),
            ("spec.containers[].volumeMounts", ("mountPath",)),
            ("spec.topologySpreadConstraints", ("topologyKey", "whenUnsatisfiable")),
            ("spec.containers[].resources.claims", ("name",)),
            ("spec.tolerations", ()),
            ("spec.containers[].args", ()),
            ("spec.volumes[].projected.sources", ()),
        ],
    )
    def test_know_what_tells_elements_apart(self, path: str, keys: tuple[str, ...]) -> None:
        assert schema_at(37, path).merge_keys == keys


def test_topmost_paths_are_those_without_an_ancestor_among_them() -> None:
    paths = frozenset({"spec.a", "spec.a.b", "spec.c[].d.e", "spec.c[].d", "spec.ab"})
    assert CATALOGUE.topmost(paths) == ("spec.a", "spec.ab", "spec.c[].d")


@pytest.mark.parametrize(
    ("struct", "member", "is_member"),
    [
        ("Volume", "image", True),
        ("Volume", "notYetThere", True),
        ("Volume", "name", False),
        ("Probe", "grpc", True),
        ("Probe", "periodSeconds", False),
        ("LifecycleHandler", "sleep", True),
        ("EnvVarSource", "fileKeyRef", True),
        ("VolumeProjection", "clusterTrustBundle", True),
        ("Container", "image", False),
        ("", "image", False),
    ],
)
def test_members_of_a_one_of_are_known(struct: str, member: str, is_member: bool) -> None:  # noqa: FBT001
    assert is_union_member(struct, member) is is_member
