"""Is a loss seen where there is one, by its exact path, and nowhere else?"""

import pytest

from observed import add, answer, container, findings, observe, pod, remove, replace, told
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.findings import Finding

SPREAD = "topologyKey=z,whenUnsatisfiable=DoNotSchedule"
APP = "spec.containers[name=app]"
SIDECAR = container("logs", restartPolicy="Always")


def by_code(found: tuple[Finding, ...], code: str) -> list[Finding]:
    return [finding for finding in found if finding.code == code]


class TestSidecarRestartPolicyLost:
    def test_fires_with_the_path_of_the_sidecar(self) -> None:
        sent = pod(initContainers=[container("setup"), SIDECAR])
        (found,) = by_code(
            findings(sent, [remove("/spec/initContainers/1/restartPolicy")]), "WF101"
        )
        assert found.path == "spec.initContainers[name=logs].restartPolicy"
        assert found.field == "spec.initContainers[].restartPolicy"
        assert found.before == "Always"

    def test_fires_when_the_value_is_set_to_null(self) -> None:
        sent = pod(initContainers=[SIDECAR])
        found = findings(sent, [replace("/spec/initContainers/0/restartPolicy", None)])
        assert by_code(found, "WF101")

    def test_a_lost_policy_of_another_kind_is_a_field_like_others(self) -> None:
        sent = pod(initContainers=[container("setup", restartPolicy="OnFailure")])
        found = findings(sent, [remove("/spec/initContainers/0/restartPolicy")])
        assert ("WF102", "spec.initContainers[name=setup].restartPolicy") in told(found)
        assert not by_code(found, "WF101")

    def test_is_silent_when_an_index_diff_removes_and_adds_it_elsewhere(self) -> None:
        """[logs] becomes [agent, logs]: the first element loses the policy, the second has it."""
        agent = container("agent")
        sent = pod(initContainers=[SIDECAR])
        patch = [
            add("/spec/initContainers/1", SIDECAR),
            replace("/spec/initContainers/0/image", agent["image"]),
            replace("/spec/initContainers/0/name", "agent"),
            remove("/spec/initContainers/0/restartPolicy"),
        ]
        assert findings(sent, patch) == ()


class TestNewFieldLost:
    @pytest.mark.parametrize(
        ("spec", "pointer", "path"),
        [
            ({"hostUsers": False}, "/spec/hostUsers", "spec.hostUsers"),
            ({"schedulingGates": [{"name": "g"}]}, "/spec/schedulingGates", "spec.schedulingGates"),
            (
                {"containers": [container("app", lifecycle={"stopSignal": "SIGINT"})]},
                "/spec/containers/0/lifecycle/stopSignal",
                "spec.containers[name=app].lifecycle.stopSignal",
            ),
            (
                {"topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
                     "minDomains": 3},
                ]},
                "/spec/topologySpreadConstraints/0/minDomains",
                f"spec.topologySpreadConstraints[{SPREAD}].minDomains",
            ),
        ],
    )  # fmt: skip
    def test_fires_with_the_keyed_path(
        self, spec: dict[str, JsonValue], pointer: str, path: str
    ) -> None:
        found = by_code(findings(pod(metadata=None, **spec), [remove(pointer)]), "WF102")
        assert [finding.path for finding in found] == [path]

    def test_the_topmost_member_is_named_and_not_everything_below_it(self) -> None:
        lifecycle: JsonValue = {"preStop": {"sleep": {"seconds": 5}}}
        sent = pod(containers=[container("app", lifecycle=lifecycle)])
        found = findings(sent, [remove("/spec/containers/0/lifecycle")])
        assert told(by_code(found, "WF102")) == [("WF102", "spec.containers[name=app].lifecycle")]

    def test_a_pointer_member_that_is_zero_is_lost_like_others(self) -> None:
        sent = pod(securityContext={"runAsUser": 0})
        found = findings(sent, [remove("/spec/securityContext/runAsUser")])
        assert ("WF102", "spec.securityContext.runAsUser") in told(found)

    def test_a_value_the_api_server_replaces_by_its_default_is_lost(self) -> None:
        sent = pod(containers=[container("app", terminationMessagePath="/dev/mine")])
        found = findings(sent, [remove("/spec/containers/0/terminationMessagePath")])
        path = "spec.containers[name=app].terminationMessagePath"
        assert ("WF102", path) in told(found)
        assert ("WF107", path) not in told(found)

    def test_is_silent_when_a_default_is_removed(self) -> None:
        assert "WF102" not in codes(pod(), [remove("/spec/terminationGracePeriodSeconds")])

    def test_is_silent_when_false_is_left_out_where_that_means_the_same(self) -> None:
        sent = pod(hostNetwork=False, containers=[container("app", tty=False)])
        patch = [remove("/spec/hostNetwork"), remove("/spec/containers/0/tty")]
        assert codes(sent, patch) == {"WF207"}

    def test_is_silent_when_a_scheduler_takes_out_what_priority_admission_put_in(self) -> None:
        sent = pod(priority=0, preemptionPolicy="PreemptLowerPriority")
        patch = [
            remove("/spec/priority"),
            remove("/spec/preemptionPolicy"),
            add("/spec/priorityClassName", "batch"),
        ]
        assert codes(sent, patch) == set()


def codes(
    sent: JsonObject, patch: list[dict[str, JsonValue]], trigger: Trigger | None = None
) -> set[str]:
    found = findings(sent, patch, trigger=trigger) if trigger else findings(sent, patch)
    return {finding.code for finding in found}


class TestUnionMemberLost:
    def test_fires_when_an_image_volume_becomes_an_empty_directory_by_default(self) -> None:
        sent = pod(volumes=[{"name": "data", "image": {"reference": "r", "pullPolicy": "Always"}}])
        found = findings(sent, [replace("/spec/volumes/0", {"name": "data"})])
        assert ("WF103", "spec.volumes[name=data].image") in told(found)

    def test_fires_for_a_probe_left_without_a_handler(self) -> None:
        sent = pod(containers=[container("app", livenessProbe={"grpc": {"port": 9}})])
        found = findings(sent, [remove("/spec/containers/0/livenessProbe/grpc")])
        assert ("WF103", "spec.containers[name=app].livenessProbe.grpc") in told(found)

    def test_fires_for_a_variable_whose_source_is_emptied(self) -> None:
        env: JsonValue = [
            {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}
        ]
        sent = pod(containers=[container("app", env=env)])
        found = findings(sent, [remove("/spec/containers/0/env/0/valueFrom/fileKeyRef")])
        path = "spec.containers[name=app].env[name=A].valueFrom.fileKeyRef"
        assert ("WF103", path) in told(found)

    def test_fires_for_a_claim_whose_name_gave_way_to_the_empty_source_of_older_types(self) -> None:
        sent = pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "one"}])
        patch = [
            remove("/spec/resourceClaims/0/resourceClaimName"),
            add("/spec/resourceClaims/0/source", {}),
        ]
        path = "spec.resourceClaims[name=gpu].resourceClaimName"
        assert ("WF103", path) in told(findings(sent, patch))

    def test_a_volume_source_exchanged_for_another_is_overwritten_and_not_lost(self) -> None:
        sent = pod(volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}])
        claim: JsonObject = {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}
        patch = [
            remove("/spec/volumes/0/emptyDir"),
            add("/spec/volumes/0/persistentVolumeClaim", claim["persistentVolumeClaim"]),
        ]
        assert told(findings(sent, patch)) == [("WF107", "spec.volumes[name=data].emptyDir")]

    def test_a_mesh_that_turns_grpc_and_tcp_probes_into_http_probes_loses_nothing(self) -> None:
        sent = pod(
            containers=[
                container(
                    "app",
                    livenessProbe={"grpc": {"port": 9}},
                    startupProbe={"tcpSocket": {"port": 1}},
                )
            ]
        )
        http: JsonObject = {"path": "/app-health/app/livez", "port": 15020, "scheme": "HTTP"}
        patch = [
            remove("/spec/containers/0/livenessProbe/grpc"),
            add("/spec/containers/0/livenessProbe/httpGet", http),
            remove("/spec/containers/0/startupProbe/tcpSocket"),
            add("/spec/containers/0/startupProbe/httpGet", http),
        ]
        assert codes(sent, patch) == {"WF107"}

    def test_a_projection_lost_beside_one_that_was_put_in_front_is_still_lost(self) -> None:
        bundle: JsonValue = {"clusterTrustBundle": {"name": "b", "path": "ca.crt"}}
        token: JsonValue = {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
        sent = pod(volumes=[{"name": "v", "projected": {"sources": [bundle], "defaultMode": 420}}])
        found = findings(sent, [replace("/spec/volumes/0/projected/sources", [token, {}])])
        assert codes_of(found) & {"WF102", "WF103", "WF105"}


def codes_of(found: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in found}


class TestFieldMigrated:
    def shifted(self) -> tuple[Finding, ...]:
        """[a, b] becomes [new, a, b], and a member the webhook does not know stays at its index."""
        containers: list[JsonValue] = [
            container("a", lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
            container("b", lifecycle={"preStop": {"sleep": {"seconds": 6}}}),
        ]
        patch = [
            add("/spec/containers/2", container("b")),
            replace("/spec/containers/0/name", "new"),
            replace("/spec/containers/0/image", "registry.example.com/new:1"),
            replace("/spec/containers/1/name", "a"),
            replace("/spec/containers/1/image", "registry.example.com/a:1"),
        ]
        return findings(pod(containers=containers), patch)

    def test_fires_once_for_every_element_that_lost_its_value(self) -> None:
        found = by_code(self.shifted(), "WF104")
        assert {(finding.path, finding.moved_to) for finding in found} == {
            (
                f"spec.containers[name={source}].lifecycle.preStop.sleep",
                f"spec.containers[name={target}].lifecycle.preStop.sleep.seconds",
            )
            for source, target in (("a", "new"), ("b", "a"))
        }

    def test_what_moved_is_not_told_as_lost_or_overwritten_as_well(self) -> None:
        assert codes_of(self.shifted()) <= {"WF104"}

    def test_is_silent_when_every_request_is_raised_by_chance_to_the_neighbours(self) -> None:
        """A resource recommender: 100m, 200m, 300m becomes 200m, 300m, 400m."""
        sent = pod(
            containers=[
                container(name, resources={"requests": {"cpu": f"{amount}m"}})
                for name, amount in (("a", 100), ("b", 200), ("c", 300))
            ]
        )
        patch = [
            replace(f"/spec/containers/{index}/resources/requests/cpu", f"{amount}m")
            for index, amount in enumerate((200, 300, 400))
        ]
        assert codes(sent, patch) == {"WF107"}

    def test_is_silent_for_an_injected_native_sidecar_beside_a_lost_policy(self) -> None:
        sent = pod(initContainers=[SIDECAR])
        patch = [
            remove("/spec/initContainers/0/restartPolicy"),
            add("/spec/initContainers/0", container("mesh", restartPolicy="Always")),
        ]
        found = findings(sent, patch)
        assert not by_code(found, "WF104")
        assert by_code(found, "WF101")


class TestElementRemoved:
    @pytest.mark.parametrize(
        ("pointer", "path"),
        [
            ("/spec/containers/1", "spec.containers[name=helper]"),
            ("/spec/containers/0/env/0", "spec.containers[name=app].env[name=A]"),
            ("/spec/containers/0/ports/0", f"{APP}.ports[containerPort=80,protocol=TCP]"),
            ("/spec/containers/0/volumeMounts/0", f"{APP}.volumeMounts[mountPath=/a]"),
            ("/spec/volumes/0", "spec.volumes[name=v]"),
            ("/spec/tolerations/0", "spec.tolerations[0]"),
        ],
    )  # fmt: skip
    def test_fires_with_the_key_of_the_element(self, pointer: str, path: str) -> None:
        app = container(
            "app",
            env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            ports=[{"containerPort": 80}, {"containerPort": 81}],
            volumeMounts=[{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
        )
        sent = pod(
            containers=[app, container("helper")],
            volumes=[{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}],
            tolerations=[{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}],
        )
        assert told(by_code(findings(sent, [remove(pointer)]), "WF105")) == [("WF105", path)]

    def test_is_silent_when_tolerations_only_change_places(self) -> None:
        first: JsonValue = {"key": "a", "operator": "Exists"}
        second: JsonValue = {"key": "b", "operator": "Exists"}
        sent = pod(tolerations=[first, second])
        patch = [replace("/spec/tolerations/0", second), replace("/spec/tolerations/1", first)]
        assert codes(sent, patch) <= {"WF202", "WF207"}

    def test_is_silent_when_what_is_there_already_is_injected_in_front_of_it(self) -> None:
        sent = pod(containers=[container("agent", args=["--mine"]), container("app")])
        found = codes(sent, [add("/spec/containers/0", container("agent", args=["--other"]))])
        assert not found & {"WF102", "WF104", "WF105", "WF107", "WF204"}


class TestMapEntryRemoved:
    def test_fires_for_every_key_of_annotations_that_were_replaced(self) -> None:
        sent = pod(metadata={"annotations": {"a/b": "1", "c~d": "2"}})
        found = findings(sent, [add("/metadata/annotations", {"mine": "x"})])
        assert told(by_code(found, "WF106")) == [
            ("WF106", "metadata.annotations{a/b}"),
            ("WF106", "metadata.annotations{c~d}"),
        ]

    def test_fires_for_the_keys_of_a_map_that_is_gone_as_a_whole(self) -> None:
        sent = pod(nodeSelector={"pool": "a"})
        found = findings(sent, [remove("/spec/nodeSelector")])
        assert told(found) == [("WF106", "spec.nodeSelector{pool}")]

    def test_fires_for_json_that_lost_keys(self) -> None:
        sent = pod(metadata={"annotations": {"n": '{"keep":1,"also":2}'}})
        found = findings(sent, [replace("/metadata/annotations/n", '{"keep":1}')])
        assert told(found) == [("WF106", "metadata.annotations{n}")]
        assert "also" in found[0].explanation

    def test_is_silent_when_json_is_written_anew_with_more_in_it(self) -> None:
        sent = pod(metadata={"annotations": {"n": '{"b": [1], "a": {"x": 1}}'}})
        longer = '{"a":{"x":1,"y":2},"b":[1,2],"c":3}'
        assert codes(sent, [replace("/metadata/annotations/n", longer)]) == set()

    @pytest.mark.parametrize(
        "patch",
        [
            [remove("/metadata/annotations/vault.example~1inject")],
            [remove("/metadata/annotations")],
            [replace("/metadata/annotations/vault.example~1inject", "done")],
        ],
    )
    def test_is_silent_when_a_webhook_consumes_its_own_trigger(
        self, patch: list[dict[str, JsonValue]]
    ) -> None:
        trigger = Trigger(name="t", annotations={"vault.example/inject": "true"})
        sent = pod(metadata={"annotations": {"vault.example/inject": "true"}})
        assert codes(sent, patch, trigger) == set()

    def test_other_keys_beside_the_trigger_are_not_its_to_remove(self) -> None:
        trigger = Trigger(name="t", annotations={"inject": "true"})
        sent = pod(metadata={"annotations": {"inject": "true", "other": "x"}})
        found = findings(sent, [remove("/metadata/annotations")], trigger=trigger)
        assert told(found) == [("WF106", "metadata.annotations{other}")]

    def test_a_resource_a_trigger_asks_for_is_its_webhooks_to_replace(self) -> None:
        limits: JsonObject = {"example.com/vgpu": "1"}
        spec: JsonObject = {"containers": [{"name": "*", "resources": {"limits": limits}}]}
        trigger = Trigger(name="t", spec=spec)
        resources: JsonObject = {"limits": limits, "requests": limits}
        sent = pod(containers=[container("app", resources=resources)])
        patch = [
            remove("/spec/containers/0/resources/limits/example.com~1vgpu"),
            remove("/spec/containers/0/resources/requests/example.com~1vgpu"),
        ]
        assert codes(sent, patch, trigger) == set()


class TestValueOverwritten:
    def test_fires_for_a_value_the_user_set(self) -> None:
        found = findings(pod(), [replace("/spec/containers/0/image", "mirror/app:1")])
        assert told(found) == [("WF107", "spec.containers[name=app].image")]
        assert (found[0].before, found[0].after) == ("registry.example.com/app:1", "mirror/app:1")

    @pytest.mark.parametrize(
        ("pointer", "value"),
        [
            ("/spec/terminationGracePeriodSeconds", 120),
            ("/spec/dnsPolicy", "None"),
            ("/spec/schedulerName", "volcano"),
            ("/spec/enableServiceLinks", False),
            ("/spec/containers/0/imagePullPolicy", "Always"),
            ("/spec/containers/0/terminationMessagePolicy", "FallbackToLogsOnError"),
        ],
    )
    def test_is_silent_when_a_default_is_changed(self, pointer: str, value: JsonValue) -> None:
        assert codes(pod(), [replace(pointer, value)]) == set()

    def test_is_silent_when_a_request_that_came_from_the_limit_is_changed(self) -> None:
        sent = pod(containers=[container("app", resources={"limits": {"cpu": "1"}})])
        patch = [replace("/spec/containers/0/resources/requests/cpu", "500m")]
        assert codes(sent, patch) == set()

    def test_is_silent_when_a_quantity_is_only_written_in_another_way(self) -> None:
        sent = pod(containers=[container("app", resources={"limits": {"memory": "1Gi"}})])
        patch = [replace("/spec/containers/0/resources/limits/memory", "1024Mi")]
        assert codes(sent, patch) == {"WF207"}

    def test_is_silent_for_the_image_the_trigger_brought(self) -> None:
        trigger = Trigger(name="t", image="auto")
        sent = pod(containers=[{"name": "app", "image": "auto", "resources": {}}])
        assert codes(sent, [replace("/spec/containers/0/image", "real:1")], trigger) == set()


class TestUnknownFieldLost:
    def test_fires_for_a_field_no_release_has(self) -> None:
        found = findings(pod(wfFutureField={"a": 1}), [remove("/spec/wfFutureField")])
        assert ("WF108", "spec.wfFutureField") in told(found)

    def test_is_silent_when_it_is_kept_by_a_patch_beside_it(self) -> None:
        sent = pod(wfFutureField={"a": 1})
        assert codes(sent, [add("/spec/nodeSelector", {"pool": "a"})]) == set()


@pytest.mark.parametrize("code", CHECKS)
def test_a_check_finds_nothing_where_the_webhook_denies_or_says_nothing(code: str) -> None:
    sent = default_pod(pod(initContainers=[SIDECAR]))
    for outcome in (answer(), answer(allowed=False), answer([]), answer(patch=None)):
        assert list(CHECKS[code](observe(sent, outcome))) == []
