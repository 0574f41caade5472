import json

from blamed import SCHEMA, build_pod, container
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.blames.origins import (
    LAST_APPLIED,
    applied_by_user,
    managed_paths,
    only_managed,
    template_of,
    without_defaults,
)

FIELDS: JsonObject = {
    "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}},
    "f:spec": {
        "f:containers": {
            'k:{"name":"app"}': {
                ".": {},
                "f:image": {},
                "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {"f:containerPort": {}}},
                "f:args": {},
            }
        },
        "f:tolerations": {},
        "k:broken": {},
        'k:["list"]': {},
        "v:1": {},
    },
}


def test_without_its_defaults_a_pod_is_what_its_user_wrote() -> None:
    written = build_pod(
        {
            "initContainers": [container("logs", restartPolicy="Always")],
            "containers": [
                container(
                    "app",
                    imagePullPolicy="Never",
                    livenessProbe={"httpGet": {"port": 80, "path": "/live"}, "periodSeconds": 3},
                    ports=[{"containerPort": 80, "protocol": "UDP"}],
                )
            ],
            "restartPolicy": "OnFailure",
            "volumes": [{"name": "c", "configMap": {"name": "c"}}],
        }
    )
    found = without_defaults(default_pod(written))
    assert {**found, "spec": _without_empty(found)} == written


def _without_empty(pod: JsonObject) -> JsonObject:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    return {name: value for name, value in spec.items() if value != {}}


def test_a_pod_without_its_defaults_has_the_same_defaults() -> None:
    for seed in load_shipped_seeds():
        assert default_pod(without_defaults(seed.pod)) == default_pod(seed.pod), seed.name


def test_a_pod_without_a_spec_is_left_alone() -> None:
    assert without_defaults({"kind": "Pod"}) == {"kind": "Pod"}


def test_the_template_of_every_kind_of_workload_is_found() -> None:
    template: JsonObject = {
        "metadata": {"labels": {"a": "b"}, "creationTimestamp": None},
        "spec": {"containers": []},
    }
    expected: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": []},
    }
    assert template_of({"spec": {"template": template}}) == expected
    assert template_of({"template": template}) == expected
    assert template_of({"spec": {"jobTemplate": {"spec": {"template": template}}}}) == expected
    assert template_of({"spec": {"template": {"metadata": None}}}) is None
    bare = template_of({"spec": {"template": {"spec": {}}}})
    assert bare is not None
    assert bare["metadata"] == {}


def test_what_kubectl_was_given_is_in_its_annotation() -> None:
    applied = build_pod({"containers": []})
    text = json.dumps(applied)
    assert applied_by_user(build_pod({}, annotations={LAST_APPLIED: text})) == applied
    assert applied_by_user(build_pod({}, annotations={LAST_APPLIED: "{"})) is None
    assert applied_by_user(build_pod({}, annotations={LAST_APPLIED: "{}"})) is None
    assert applied_by_user(build_pod({})) is None


def test_managed_fields_become_keyed_paths() -> None:
    app = "spec.containers[name=app]"
    assert list(managed_paths(FIELDS, SCHEMA)) == [
        "metadata",
        "metadata.labels",
        "metadata.labels{app.kubernetes.io/name}",
        "spec",
        "spec.containers",
        app,
        f"{app}.image",
        f"{app}.ports",
        f"{app}.ports[containerPort=80,protocol=TCP]",
        f"{app}.ports[containerPort=80,protocol=TCP].containerPort",
        f"{app}.args",
        "spec.tolerations",
    ]


def test_only_what_is_managed_is_kept_and_what_is_atomic_as_a_whole() -> None:
    tolerations: list[JsonObject] = [{"key": "a"}]
    pod = build_pod(
        {
            "containers": [
                container("mesh"),
                container("app", args=["x"], tty=True, ports=[{"containerPort": 80}]),
            ],
            "tolerations": [*tolerations],
            "priority": 1,
        },
        labels={"app.kubernetes.io/name": "web", "mesh": "yes"},
        uid="u",
    )
    assert only_managed(pod, set(managed_paths(FIELDS, SCHEMA)), SCHEMA) == build_pod(
        {
            "containers": [{"image": "app:1", "args": ["x"], "ports": [{"containerPort": 80}]}],
            "tolerations": [*tolerations],
        },
        labels={"app.kubernetes.io/name": "web"},
    )
