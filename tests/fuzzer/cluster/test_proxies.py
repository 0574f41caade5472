"""The environment's proxy, as kubectl reads it."""

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cluster.proxies import choose_proxy

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_without_a_proxy_the_connection_is_direct() -> None:
    assert choose_proxy("https://api.example", None) is None


def test_the_kubeconfigs_proxy_counts_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")

    assert choose_proxy("https://127.0.0.1:6443", PROXY) == PROXY


def test_a_proxy_without_a_scheme_is_an_http_proxy() -> None:
    assert choose_proxy("https://api.example", "proxy.example:3128") == PROXY


def test_a_socks_proxy_is_a_sentence() -> None:
    with pytest.raises(InputError, match=r"socks5://… .* cannot be used"):
        choose_proxy("https://api.example", "socks5://user:password@proxy.example")


@pytest.mark.parametrize(
    ("server", "no_proxy", "direct"),
    [
        ("https://api.example", "", False),
        ("https://localhost:6443", "", True),
        ("https://127.0.0.1:6443", "", True),
        ("https://[::1]:6443", "", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://api.example", "10.0.0.0/8, no-network/33", False),
        ("https://api.example", "*", True),
        ("https://api.example", "other.example,api.example", True),
        ("https://api.staging.example", "staging.example", True),
        ("https://api.staging.example", ".staging.example", True),
        ("https://api.staging.example", "*.staging.example", True),
        ("https://staging.example", ".staging.example", False),
        ("https://notstaging.example", "staging.example", False),
        ("https://api.example:6443", "api.example:6443", True),
        ("https://api.example", "api.example:443", True),
        ("https://api.example:6443", "api.example:443", False),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
        ("https://[fd00::1]:6443", "fd00::1", True),
        ("http://api.example:80", "api.example:80", True),
    ],
)
def test_no_proxy_excludes_names_networks_and_loopback(
    monkeypatch: pytest.MonkeyPatch, server: str, no_proxy: str, *, direct: bool
) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv("no_proxy", no_proxy)

    assert choose_proxy(server, None) == (None if direct else PROXY)
