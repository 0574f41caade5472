import socket

import pytest

from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.proxy.operations.listeners import Address, Listeners, parse_address

LOOPBACK = Address(host="127.0.0.1", port=0)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8443", Address(host="127.0.0.1", port=8443)),
        ("[::1]:0", Address(host="::1", port=0)),
        (":8443", Address(host="", port=8443)),
        ("localhost:1", Address(host="localhost", port=1)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: Address) -> None:
    assert parse_address(text, option="--listen") == address


@pytest.mark.parametrize("text", ["8443", "::1:8443", "a:", "a:70000", "a:-1", "a:\u0661", ""])
def test_anything_else_is_refused_with_the_option_s_name(text: str) -> None:
    with pytest.raises(InputError, match="--listen"):
        parse_address(text, option="--listen")


def test_all_workers_have_a_socket_of_their_own_on_one_port() -> None:
    listeners = Listeners.bind([LOOPBACK], workers=3)
    ports = {listeners.of(worker)[0].getsockname() for worker in range(3)}
    files = {listeners.of(worker)[0].fileno() for worker in range(3)}
    listeners.close()

    assert len(ports) == 1
    assert len(files) == 3


def test_a_port_that_another_proxy_shares_among_its_workers_is_taken() -> None:
    first = Listeners.bind([LOOPBACK], workers=2)
    try:
        with pytest.raises(IncompleteRunError, match="cannot listen there") as raised:
            Listeners.bind(first.addresses, workers=2)
    finally:
        first.close()
    assert "--listen" in raised.value.hint


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(IncompleteRunError, match=r"192\.0\.2\.1:0"):
        Listeners.bind([Address(host="192.0.2.1", port=0)], workers=1)


def test_a_name_nobody_knows_is_said() -> None:
    with pytest.raises(InputError, match="no such address"):
        Listeners.bind([Address(host="nowhere.invalid", port=0)], workers=1)


def test_what_a_released_worker_had_goes_to_the_others_until_it_is_back() -> None:
    listeners = Listeners.bind([LOOPBACK], workers=2)
    address = ("127.0.0.1", listeners.addresses[0].port)
    listeners.release(1)
    callers = [socket.create_connection(address, timeout=5) for _ in range(8)]
    accepted = [listeners.of(0)[0].accept()[0] for _ in callers]
    listeners.acquire(1)
    assert listeners.of(1)[0].getsockname() == address
    for each in (*callers, *accepted):
        each.close()
    listeners.close()
