"""Is what the API server makes of a webhook the same with the proxy in between, however it fails?

Every case is tried with both failure policies and both ways. What came of it is compared, and it is
the table of docs/proxy-failures.md, which this test writes.
"""

import os
import ssl
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from admission_outcomes import Admitted
from failure_matrices import (
    CASES,
    EXPIRED,
    FOREIGN,
    KEEP_ALIVE,
    NOBODY,
    POLICIES,
    REINVOKED,
    RETRIED,
    WAYS,
    WRONG_NAME,
    Case,
    Matrix,
    Tried,
    Way,
    failure_matrix,
)
from testbed.clusters import wait_until
from testbed.fixtures import past_capture
from testbed.registrations import ServiceAddress
from webhook_fuzz.corpora.members import object_at

pytestmark = pytest.mark.real

PAGE: Final = Path(__file__).parents[2] / "docs" / "proxy-failures.md"
UPDATE: Final = "UPDATE_PROXY_FAILURES"
NEVER_REACHED: Final = frozenset({WRONG_NAME, EXPIRED, FOREIGN, NOBODY})
"""No request ever reached a webhook: the proxy can only say so, and its words differ."""
AT_ONCE: Final = 8

Cell: TypeAlias = tuple[Case, str, Way]
Results: TypeAlias = Mapping[tuple[str, str, Way], Tried]


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("matrix")
    with failure_matrix(folder, past_capture(request.config)) as matrix:
        yield matrix


@pytest.fixture(scope="module")
def results(matrix: Matrix) -> Results:
    cells: list[Cell] = [
        (case, policy, way) for case in CASES for policy in POLICIES for way in WAYS
    ]

    def attempt(cell: Cell) -> Tried:
        return matrix.attempt(*cell)[0]

    # Last and alone: of a connection that is closed while another call takes it, Go makes an error.
    together = [cell for cell in cells if cell[0].name != KEEP_ALIVE]
    alone = [cell for cell in cells if cell[0].name == KEEP_ALIVE]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = [*pool.map(attempt, together)]
    tried += map(attempt, alone)
    return {
        (case.name, policy, way): result
        for (case, policy, way), result in zip([*together, *alone], tried, strict=True)
    }


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_api_server_makes_the_same_of_it(case: Case, policy: str, results: Results) -> None:
    direct, proxied = (results[case.name, policy, way] for way in WAYS)
    assert proxied.admitted.status == direct.admitted.status
    assert proxied.admitted.kind == direct.admitted.kind
    assert proxied.admitted.pod == direct.admitted.pod
    assert proxied.admitted.warnings == direct.admitted.warnings
    assert proxied.abandoned == direct.abandoned
    # How many repetitions fit into the time is a matter of milliseconds.
    assert abs(proxied.calls - direct.calls) <= (2 if RETRIED in case.name else 0)
    if case.name not in NEVER_REACHED and RETRIED not in case.name:
        assert proxied.admitted.detail == direct.admitted.detail


def test_the_matrix_has_what_it_is_to_show(results: Results) -> None:
    """Or the ways could be equal because nothing ever happened."""
    outcomes = {name: results[name, "Fail", "direct"] for name in (case.name for case in CASES)}
    created = {name for name, each in outcomes.items() if each.admitted.kind == "created"}
    assert created >= {"healthy", "gzip", "chunked", "slow, in time", "3 MiB pod", "Go webhook"}
    assert outcomes["slow, too late"].abandoned == 1
    assert outcomes["503, Retry-After"].calls > outcomes["503"].calls == 1
    assert outcomes[REINVOKED].calls == 3
    failed = {name for name, each in outcomes.items() if "failed" in each.admitted.kind}
    assert failed >= {*NEVER_REACHED, "reset before headers", "closed in body", "wrong uid"}


def test_the_table_in_the_docs_is_what_came_of_it(results: Results) -> None:
    table = _render(results)
    if UPDATE in os.environ:
        PAGE.write_text(table)
    assert PAGE.read_text() == table, f"run this test with {UPDATE}=1 and read what changed"


def test_a_connection_that_ends_without_a_word_costs_no_call(matrix: Matrix) -> None:
    case = next(case for case in CASES if case.name == KEEP_ALIVE)
    for way in WAYS:
        tried = matrix.attempt(case, "Fail", way, times=50)
        assert {each.admitted.kind for each in tried} == {"created"}
        assert {each.calls for each in tried} == {1}


def test_renewed_certificates_cost_no_call(matrix: Matrix) -> None:
    """The webhook's own, and the one the proxy serves, both while pods are being made."""
    case = next(case for case in CASES if case.name == KEEP_ALIVE)  # every call a handshake
    webhook = matrix.backends[case.backend]
    with _creating(matrix, case, POLICIES[:1]) as created:
        for _ in range(3):
            served = _certificate(webhook.address)
            webhook.renew(matrix.webhook_authority)
            assert _certificate(webhook.address) != served
        served = _certificate(matrix.proxied)
        renewed = matrix.proxy_authority.issue(matrix.proxied.dns_name)
        for new, old in zip(
            (renewed.key_file, renewed.cert_file),
            (matrix.proxy_credential.key_file, matrix.proxy_credential.cert_file),
            strict=True,
        ):
            old.write_bytes(new.read_bytes())
        wait_until(lambda: _certificate(matrix.proxied) != served, what="it is served")
    assert all(len(each) > 3 for each in created.values())
    assert {each.kind for tried in created.values() for each in tried} == {"created"}


def test_a_go_webhook_that_restarts_under_load_fails_alike(matrix: Matrix) -> None:
    case = next(case for case in CASES if case.name == "Go webhook")
    process = matrix.backends[case.backend].process
    assert process is not None
    with _creating(matrix, case, POLICIES) as created:
        for _ in range(3):
            time.sleep(0.5)
            process.kill()
            time.sleep(0.5)  # away for long enough that calls fail
            process.start()
    for way in WAYS:
        assert {each.kind for each in created["Ignore", way]} == {"created"}
        patched = {_words(each) for each in created["Ignore", way]}
        assert patched == {"created, patched", "created as sent"}
        failed = {each.kind for each in created["Fail", way]}
        assert failed == {"created", "failed calling webhook"}
        for policy in POLICIES:  # and it is there again
            wait_until(
                lambda policy=policy, way=way: (  # type: ignore[misc]
                    _words(matrix.attempt(case, policy, way)[0].admitted) == "created, patched"
                ),
                what="the webhook is back",
            )


@contextmanager
def _creating(
    matrix: Matrix, case: Case, policies: Sequence[str]
) -> Generator[Mapping[tuple[str, Way], list[Admitted]]]:
    """Pods are made all the time, both ways; what became of them."""
    created: dict[tuple[str, Way], list[Admitted]] = {
        (policy, way): [] for policy in policies for way in WAYS
    }
    stop = threading.Event()

    def create(policy: str, way: Way) -> None:
        while not stop.is_set():
            created[policy, way].append(matrix.attempt(case, policy, way)[0].admitted)

    with ThreadPoolExecutor(len(created)) as pool:
        running = [pool.submit(create, *cell) for cell in created]
        try:
            yield created
        finally:
            stop.set()
    for each in running:
        each.result()


def _certificate(address: ServiceAddress) -> str:
    return ssl.get_server_certificate((address.host, address.port))


def _render(results: Results) -> str:
    lines = [_HEAD]
    for case in CASES:
        for policy in POLICIES:
            direct, proxied = (results[case.name, policy, way] for way in WAYS)
            same = direct.admitted == proxied.admitted or RETRIED in case.name
            through = "the same" if same else _words(proxied.admitted)
            lines.append(
                f"| {case.name} | {policy} | {direct.admitted.status} | {_words(direct.admitted)} "
                f"| {through} | {_times(case, direct)} |"
            )
    return "\n".join(lines) + "\n"


def _words(admitted: Admitted) -> str:
    if admitted.kind == "created":
        metadata = object_at(admitted.pod, "metadata")
        return "created, patched" if object_at(metadata, "labels") else "created as sent"
    return f"{admitted.kind}: `{admitted.detail[:120]}`" if admitted.detail else admitted.kind


def _times(case: Case, tried: Tried) -> str:
    if RETRIED in case.name:
        return "several"
    return str(tried.calls or "")


_HEAD: Final = """\
# What the API server sees when a webhook fails behind the proxy

Written by `tests/proxy/test_failures_through_the_proxy.py` from what a real API server (1.37) made
of a pod, with the webhook called directly and through the proxy: status, kind of message, the
object, warnings and the number of calls the webhook saw are the same in every line. Where no
request could reach the webhook (a certificate that is not accepted, nobody listening), the proxy
answers 502 with its reason, so the words behind "failed calling webhook" differ: both are shown.
Not in the table, tried beside it: a Go webhook that is killed and started again while pods are
made, and certificates of webhook and proxy that are renewed meanwhile.

| webhook | failurePolicy | status | API server | through the proxy | calls |
|---|---|---|---|---|---|"""
