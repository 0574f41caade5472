from copy import deepcopy

from observed import container, pod
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.chains.losses import Fate, Loss, find_losses


def losses(sent: JsonObject, returned: JsonObject) -> tuple[Loss, ...]:
    return find_losses(sent, returned, load_catalogue())


def told(sent: JsonObject, returned: JsonObject) -> list[tuple[Fate, str]]:
    return [(loss.fate, loss.path) for loss in losses(sent, returned)]


def changed(given: JsonObject, **spec: JsonValue) -> JsonObject:
    """The pod with other members of the spec, as the API server would have it; None: without."""
    base = given["spec"]
    assert isinstance(base, dict)
    both: JsonObject = {**base, **spec}
    members: JsonObject = {name: value for name, value in both.items() if value is not None}
    return default_pod({**given, "spec": members})


def stored(given: JsonObject) -> JsonObject:
    """A pod with what the API server and its plugins add."""
    result = deepcopy(default_pod(given))
    metadata, spec = result["metadata"], result["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    metadata.update(
        {"uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"m": 1}]}
    )
    token: JsonObject = {"name": "kube-api-access", "projected": {"sources": []}}
    volumes = spec.get("volumes")
    spec["volumes"] = [*(volumes if isinstance(volumes, list) else []), token]
    spec["tolerations"] = [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]
    spec.update({"priority": 0, "preemptionPolicy": "PreemptLowerPriority"})
    spec.update({"serviceAccountName": "default", "serviceAccount": "default"})
    return default_pod({**result, "status": {"phase": "Pending", "qosClass": "BestEffort"}})


SIDECAR = container("logs", restartPolicy="Always")


def test_what_the_api_server_adds_is_no_loss() -> None:
    bare: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "web-"},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    }
    assert told(bare, stored(bare)) == []


def test_what_the_api_server_sets_anew_is_no_loss() -> None:
    sent = changed(stored(pod()), priority=5, serviceAccount="old")
    assert told(sent, stored(pod())) == []


def test_an_image_pulled_always_is_the_plugins_doing() -> None:
    sent = pod(containers=[{"name": "app", "image": "app:latest", "imagePullPolicy": "Never"}])
    returned = pod(containers=[{"name": "app", "image": "app:latest", "imagePullPolicy": "Always"}])
    assert told(sent, returned) == []


def test_a_field_that_is_gone_is_lost_with_its_minor() -> None:
    sent, returned = pod(initContainers=[SIDECAR]), pod(initContainers=[container("logs")])
    [loss] = losses(sent, returned)
    assert loss.path == "spec.initContainers[name=logs].restartPolicy"
    assert loss.field == "spec.initContainers[].restartPolicy"
    assert (loss.fate, loss.before, loss.since) == (Fate.LOST, "Always", Minor(1, 28))


def test_a_source_that_became_an_empty_dir_is_lost() -> None:
    volume: JsonObject = {"name": "model", "image": {"reference": "model:1"}}
    sent, returned = pod(volumes=[volume]), pod(volumes=[{"name": "model"}])
    assert told(sent, returned) == [(Fate.LOST, "spec.volumes[name=model].image")]


def test_a_member_of_a_one_of_that_gave_way_to_another_is_no_loss() -> None:
    sent = pod(containers=[container("app", livenessProbe={"grpc": {"port": 1}})])
    returned = pod(
        containers=[container("app", livenessProbe={"httpGet": {"path": "/", "port": 1}})]
    )
    assert told(sent, returned) == []


def test_a_container_that_is_gone_is_lost_and_one_that_moved_down_is_not() -> None:
    sent = pod(containers=[container("app"), container("extra")])
    returned = pod(containers=[container("agent"), container("app")])
    assert told(sent, returned) == [(Fate.LOST, "spec.containers[name=extra]")]


def test_a_toleration_another_one_covers_is_merged_away_by_plugins() -> None:
    narrow: JsonObject = {"key": "a", "operator": "Exists", "effect": "NoSchedule"}
    wide: JsonObject = {"key": "a", "operator": "Exists"}
    other: JsonObject = {"key": "b", "operator": "Exists"}
    sent = pod(tolerations=[wide, narrow, other])
    assert told(sent, pod(tolerations=[wide, other])) == []
    assert told(sent, pod(tolerations=[wide])) == [(Fate.LOST, "spec.tolerations[2]")]


def test_an_entry_of_a_map_is_lost_alone_and_with_the_whole_map() -> None:
    sent = pod(metadata={"labels": {"a": "1", "b": "2"}})
    one = pod(metadata={"labels": {"a": "1"}})
    assert told(sent, one) == [(Fate.LOST, "metadata.labels{b}")]
    assert told(sent, pod()) == [
        (Fate.LOST, "metadata.labels{a}"),
        (Fate.LOST, "metadata.labels{b}"),
    ]


def test_a_value_the_default_replaced_is_lost_and_one_set_on_purpose_is_not() -> None:
    sent = pod(terminationGracePeriodSeconds=60)
    assert told(sent, pod()) == [(Fate.DEFAULTED, "spec.terminationGracePeriodSeconds")]
    assert told(sent, pod(terminationGracePeriodSeconds=90)) == []


def test_a_value_on_another_container_has_moved() -> None:
    def rules(name: str) -> JsonObject:
        exits: JsonObject = {"operator": "In", "values": [len(name) + 40]}
        return container(name, restartPolicyRules=[{"action": "Restart", "exitCodes": exits}])

    sent = pod(containers=[rules("app"), container("other")])
    moved = rules("app")["restartPolicyRules"]
    returned = pod(containers=[container("app"), container("other", restartPolicyRules=moved)])
    [loss] = losses(sent, returned)
    assert loss.fate is Fate.MOVED
    assert loss.moved_to is not None
    assert loss.moved_to.startswith("spec.containers[name=other].restartPolicyRules")
