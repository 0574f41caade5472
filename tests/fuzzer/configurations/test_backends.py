"""Is a webhook without a backend told apart from one with little, and from one nobody looked at?"""

import pytest

from configured import around, by_service, configuration, entry, lint, only
from webhook_fuzz.corpora.cluster_api.failures import Seen, Trouble, Unseen
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.surroundings import Backend
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity


def behind(backend: Seen[Backend] | None, **changes: JsonValue) -> list[ClusterFinding]:
    given: JsonObject = {"clientConfig": by_service(), **changes}
    findings = lint(
        configuration(
            entry(**given), metadata={"annotations": {"cert-manager.io/inject-ca-from": "a/b"}}
        ),
        surroundings=around(backends={("injector", "injector"): backend} if backend else {}),
    )
    return [finding for finding in findings if finding.code == "WF609"]


def test_two_ready_endpoints_are_fine() -> None:
    assert behind(Backend(exists=True, ports=(443,), ready=2)) == []


@pytest.mark.parametrize(
    ("policy", "then"), [("Fail", "every request it matches is refused"), ("Ignore", "nobody")]
)
def test_a_missing_service_is_an_error(policy: str, then: str) -> None:
    finding = only(behind(Backend(exists=False), failurePolicy=policy), "WF609")
    assert finding.severity is Severity.ERROR
    assert "There is no Service injector/injector" in finding.explanation
    assert then in finding.explanation
    assert finding.path == "webhooks[0].clientConfig.service"


def test_a_port_the_service_does_not_have_is_an_error() -> None:
    backend = Backend(exists=True, ports=(8443, 9443), ready=2)
    assert "no port 443, only 8443, 9443" in only(behind(backend), "WF609").explanation
    service: JsonObject = {"name": "injector", "namespace": "injector", "port": 443}
    finding = only(behind(backend, clientConfig={"service": service}), "WF609")
    assert finding.path == "webhooks[0].clientConfig.service.port"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (Backend(exists=True, ready=0), "no ready endpoint"),
        (Backend(exists=True, replicas=0), "no replica"),
    ],
)
def test_nobody_behind_the_service_is_an_error(backend: Backend, said: str) -> None:
    finding = only(behind(backend), "WF609")
    assert finding.severity is Severity.ERROR
    assert said in finding.explanation


@pytest.mark.parametrize(
    ("backend", "policy", "severity"),
    [
        (Backend(exists=True, ready=1), "Fail", Severity.WARNING),
        (Backend(exists=True, replicas=1), "Fail", Severity.WARNING),
        (Backend(exists=True, ready=1), "Ignore", Severity.INFO),
    ],
)
def test_one_pod_is_few(backend: Backend, policy: str, severity: Severity) -> None:
    finding = only(behind(backend, failurePolicy=policy), "WF609")
    assert finding.severity is severity
    assert " only: " in finding.explanation


@pytest.mark.parametrize(
    "backend",
    [
        Unseen(what="services", why="forbidden", trouble=Trouble.FORBIDDEN),
        Backend(exists=True),
        None,
    ],
)
def test_what_is_not_known_is_no_finding(backend: Seen[Backend] | None) -> None:
    assert behind(backend) == []


def test_the_api_server_itself_needs_no_backend() -> None:
    missing = {("default", "kubernetes"): Backend(exists=False)}
    own = entry(clientConfig=by_service(name="kubernetes", namespace="default", caBundle="Cg=="))
    found = lint(configuration(own), surroundings=around(backends=missing))
    assert "WF609" not in {finding.code for finding in found}


def test_a_url_has_no_service() -> None:
    assert behind(Backend(exists=False), clientConfig={"url": "https://example.com"}) == []
