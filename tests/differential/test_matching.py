"""Are exactly the webhooks called that the matching rules say?

A real API server has many webhooks registered, each with another selector, rule or condition, all
served by one program that notes by whom it was called for what. What the rules leave to the server
is counted, and must stay the exception.
"""

import itertools
import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from authorities import LOOPBACK, Authority
from testbed.admission_requests import (
    NAMESPACES,
    add_metadata,
    build_pod_with,
    build_pods,
    iterate_requests,
)
from testbed.clusters import Cluster, Reply, administrator, wait_until
from testbed.control_planes import build_control_plane, minors_under_test
from testbed.fixtures import past_capture
from testbed.registrations import build_webhook, registered, url_client_config
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.match_conditions import Verdict, evaluate_conditions
from webhook_fuzz.fuzzer.apiserver.matching import (
    Attributes,
    Decision,
    match_webhook,
    pod_attributes,
)
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import control_plane

pytestmark = pytest.mark.real

CONDITIONS: Sequence[str] = yaml.safe_load(
    Path(__file__).with_name("conditions.yaml").read_text("utf-8")
)
SELECTORS: Sequence[JsonObject] = (
    {},
    {"matchLabels": {}},
    {"matchLabels": {"env": "prod"}},
    {"matchLabels": {"env": ""}},
    {"matchLabels": {"env": "prod", "team": "a"}},
    {"matchLabels": {"env": "prod", "team": "b"}},
    {"matchExpressions": [{"key": "env", "operator": "Exists"}]},
    {"matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]},
    {"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod", "test"]}]},
    {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod", "test"]}]},
    {"matchExpressions": [{"key": "team", "operator": "In", "values": ["B_b.b-b"]}]},
    {"matchLabels": {"example.com/inject": "enabled"}},
    {
        "matchLabels": {"env": "prod"},
        "matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}],
    },
    {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["match-plain", "kube-system"],
            }
        ]
    },
)


def _rule(**given: JsonValue) -> JsonObject:
    return {
        "operations": ["*"],
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": ["*/*"],
        **given,
    }


RULES: Mapping[str, JsonObject] = {
    "everything": _rule(),
    "star": _rule(resources=["*"]),
    "pods": _rule(apiGroups=[""], apiVersions=["v1"], resources=["pods"]),
    "pods-and-subs": _rule(apiGroups=[""], resources=["pods/*"]),
    "binding": _rule(apiGroups=[""], resources=["pods/binding"]),
    "any-status": _rule(resources=["*/status"]),
    "any-ephemeral": _rule(resources=["*/ephemeralcontainers"]),
    "create": _rule(operations=["CREATE"]),
    "update": _rule(operations=["UPDATE", "DELETE"]),
    "delete-pods": _rule(operations=["DELETE"], resources=["pods"]),
    "namespaced": _rule(scope="Namespaced"),
    "cluster": _rule(scope="Cluster"),
    "all-scopes": _rule(scope="*"),
    "namespaces": _rule(resources=["namespaces"], scope="Cluster"),
    "never-namespaces": _rule(resources=["namespaces"], scope="Namespaced"),
    "apps": _rule(apiGroups=["apps"], apiVersions=["v1"]),
    "apps-old": _rule(apiGroups=["apps"], apiVersions=["v1beta1", "v1beta2"]),
    "extensions": _rule(apiGroups=["extensions"], apiVersions=["v1beta1"]),
    "core-v2": _rule(apiGroups=[""], apiVersions=["v2"]),
    "hpa-v1": _rule(apiGroups=["autoscaling"], apiVersions=["v1"]),
    "hpa-v2": _rule(apiGroups=["autoscaling"], apiVersions=["v2"]),
    "core-events": _rule(apiGroups=[""], resources=["events"]),
    "new-events": _rule(apiGroups=["events.k8s.io"], resources=["events"]),
    "admission": _rule(apiGroups=["admissionregistration.k8s.io"]),
    "roles": _rule(apiGroups=["rbac.authorization.k8s.io"], scope="Cluster"),
}


@dataclass
class CallLog:
    """The webhooks called for the request under way, by the path they are served at."""

    url: str = ""
    called: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def log(authority: Authority) -> Iterator[CallLog]:
    log = CallLog()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # The API server itself writes leases and the like.
            if not review["request"]["userInfo"]["username"].startswith("system:"):
                log.called[self.path.partition("?")[0].rpartition("/")[2]] = review["request"]
            answer = {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": review["request"]["uid"], "allowed": True},
            }
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as given
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context: ssl.SSLContext = authority.issue(*LOOPBACK).server_context()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    log.url = f"https://127.0.0.1:{server.server_port}"
    yield log
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=minors_under_test(), ids=str)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    minor: Minor = request.param
    programs = build_control_plane(minor, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions()) as plane:
        cluster = administrator(plane)
        for name, labels in NAMESPACES.items():
            cluster.create_namespace(name, **labels)
        yield cluster


def _register(
    stack: ExitStack,
    cluster: Cluster,
    log: CallLog,
    authority: Authority,
    given: Mapping[str, JsonObject],
) -> list[Webhook]:
    """Register webhooks by name, with one last that is always called; wait until it is."""
    webhooks: list[JsonObject] = []
    always: JsonObject = {"rules": [_rule()]}
    for name, fields in {**given, "zz-always": always}.items():
        client_config = url_client_config(f"{log.url}/{name}", authority.ca_file)
        webhooks.append(build_webhook(f"{name}.example.com", client_config, **fields))
    stack.enter_context(registered(cluster, "matching", *webhooks))
    pod = build_pod_with("is-it-called")

    def is_called() -> bool:
        _send(cluster, log, "POST", "/api/v1/namespaces/match-plain/pods", pod)
        return "zz-always" in log.called

    wait_until(is_called, what="the API server has seen the configuration")
    return list_webhooks([{"metadata": {"name": "matching"}, "webhooks": [*webhooks]}])


def _send(cluster: Cluster, log: CallLog, method: str, path: str, body: JsonObject | None) -> Reply:
    log.called.clear()
    # Connections know no dry run.
    query = {} if path.endswith("/attach") else {"dryRun": "All"}
    return cluster.request(method, path, body=body, **query)


def test_conditions_say_what_the_api_server_says(
    request: pytest.FixtureRequest, cluster: Cluster, log: CallLog, authority: Authority
) -> None:
    # Both the condition and its opposite: neither is called where it fails.
    sides = {"yes": "{}", "no": "!({})"}
    given: dict[str, JsonObject] = {}
    for (index, expression), (side, form) in itertools.product(
        enumerate(CONDITIONS), sides.items()
    ):
        given[f"c{index}-{side}"] = {
            "failurePolicy": "Ignore",
            "matchConditions": [{"name": "c", "expression": form.format(expression)}],
        }
    wrong: list[str] = []
    counts = dict.fromkeys(Verdict, 0)
    with ExitStack() as stack:
        _register(stack, cluster, log, authority, given)
        for namespace, pod in itertools.product(NAMESPACES, build_pods()):
            path = f"/api/v1/namespaces/{namespace}/pods"
            reply = _send(cluster, log, "POST", path, pod)
            seen = log.called["zz-always"]
            for attributes in _views(namespace, pod, seen):
                for index, expression in enumerate(CONDITIONS):
                    condition: JsonObject = {"name": "c", "expression": expression}
                    (result,) = evaluate_conditions([condition], attributes)
                    counts[result.verdict] += 1
                    expected = _verdict(f"c{index}-yes" in log.called, f"c{index}-no" in log.called)
                    if result.verdict not in {expected, Verdict.UNDECIDED}:
                        wrong.append(f"{expression} of {json.dumps(pod)}: {result}, not {expected}")
            assert reply.status in {200, 201}, reply.message
    _say(request, cluster, "matchConditions", counts)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    assert counts[Verdict.UNDECIDED] < sum(counts.values()) / 4


def _say(
    request: pytest.FixtureRequest, cluster: Cluster, what: str, counts: Mapping[Any, int]
) -> None:
    shares = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    said = f"{what} on {cluster.plane.version}: {sum(counts.values())} cases ({shares})"
    past_capture(request.config)(said)


def _verdict(yes: bool, no: bool) -> Verdict:  # noqa: FBT001 - a truth table
    assert not (yes and no)
    return Verdict.TRUE if yes else Verdict.FALSE if no else Verdict.ERROR


def _views(namespace: str, pod: JsonObject, seen: JsonObject) -> Iterator[Attributes]:
    """The pod as the API server showed it, and as it is known before it is sent."""
    object_ = cast("JsonObject", seen["object"])
    user: Any = seen["userInfo"]
    labels = {**NAMESPACES[namespace], "kubernetes.io/metadata.name": namespace}
    yield pod_attributes(
        object_, namespace=namespace, namespace_labels=labels, user=user, settled=True
    )
    yield pod_attributes(default_pod(pod), namespace=namespace, user=user)
    yield pod_attributes(default_pod(pod), namespace=namespace)


def test_selectors_and_rules_say_what_the_api_server_does(
    request: pytest.FixtureRequest, cluster: Cluster, log: CallLog, authority: Authority
) -> None:
    given: dict[str, JsonObject] = {}
    for index, selector in enumerate(SELECTORS):
        given[f"namespace-{index}"] = {"rules": [_rule()], "namespaceSelector": selector}
        given[f"object-{index}"] = {"rules": [_rule()], "objectSelector": selector}
    for name, rule in RULES.items():
        given[f"rule-{name}"] = {"rules": [rule]}
        given[f"exact-{name}"] = {"rules": [rule], "matchPolicy": "Exact"}
    given["rules-first"] = {"rules": [RULES["apps"], RULES["pods"]]}
    given["rules-none"] = {"rules": [RULES["apps-old"], RULES["core-v2"]]}
    wrong: list[str] = []
    counts = dict.fromkeys(Decision, 0)
    with ExitStack() as stack:
        held = _hold(stack, cluster)
        webhooks = _register(stack, cluster, log, authority, given)
        for asked in iterate_requests(held):
            reply = _send(cluster, log, asked.method, asked.path, asked.body)
            for webhook in webhooks:
                matching = match_webhook(webhook, asked.attributes)
                counts[matching.decision] += 1
                called = webhook.name.removesuffix(".example.com") in log.called
                expected = Decision.MATCHES if called else Decision.SKIPPED
                if matching.decision not in {expected, Decision.UNDECIDED}:
                    wrong.append(f"{asked.method} {asked.path} {webhook.name}: {matching}")
            assert log.called or asked.attributes.group.startswith(_UNSENT), reply.message
    _say(request, cluster, "webhooks matched against requests", counts)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    assert counts[Decision.UNDECIDED] < sum(counts.values()) / 20


# Nothing of these groups reaches a webhook, or not on every version.
_UNSENT = ("admissionregistration.k8s.io", "authentication.k8s.io")


def _hold(stack: ExitStack, cluster: Cluster) -> JsonObject:
    """A pod that is there, to be changed and deleted by dry run."""
    path = "/api/v1/namespaces/match-prod/pods"
    pod = add_metadata(build_pod_with("held"), labels={"env": "prod"})
    held = cluster.create(path, pod)
    stack.callback(cluster.delete, f"{path}/held")
    return held


def test_a_failing_condition_refuses_the_request_where_the_policy_is_fail(
    cluster: Cluster, log: CallLog, authority: Authority
) -> None:
    fails: JsonObject = {"name": "fails", "expression": "object.spec.nothing == 'x'"}
    false: JsonObject = {"name": "false", "expression": "request.name == 'nobody'"}
    everywhere: JsonObject = {"rules": [RULES["pods"]], "failurePolicy": "Fail"}
    both: JsonObject = {**everywhere, "matchConditions": [fails, false]}
    only: JsonObject = {
        **everywhere,
        "matchConditions": [fails],
        "namespaceSelector": {"matchLabels": {"env": "prod"}},
    }
    decisions: dict[tuple[str, str], Decision] = {}
    with ExitStack() as stack:
        webhooks = _register(stack, cluster, log, authority, {"both": both, "only": only})
        for namespace, labels in NAMESPACES.items():
            reply = _send(
                cluster, log, "POST", f"/api/v1/namespaces/{namespace}/pods", build_pod_with("p")
            )
            attributes = pod_attributes(
                build_pod_with("p"), namespace=namespace, namespace_labels=labels
            )
            for webhook in webhooks:
                decisions[namespace, webhook.name] = match_webhook(webhook, attributes).decision
            refused = decisions[namespace, "only.example.com"] is Decision.REJECTED
            assert (reply.status == 403) == refused, reply.message
            assert decisions[namespace, "both.example.com"] is Decision.SKIPPED
            assert "both" not in log.called
    assert list(decisions.values()).count(Decision.REJECTED) == 1
