"""Is the place of the proxy read as the API server would find it?"""

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.interception.options import (
    parse_address,
    parse_service_target,
    parse_url_target,
)


def test_a_service_has_port_443_unless_another_is_given() -> None:
    assert parse_service_target("fuzz/proxy").server_name == "proxy.fuzz.svc"
    assert str(parse_service_target("fuzz/proxy")) == "service fuzz/proxy:443"
    assert str(parse_service_target("fuzz/proxy:8443")) == "service fuzz/proxy:8443"


@pytest.mark.parametrize(
    "text", ["proxy", "fuzz/proxy:0", "fuzz/proxy:70000", "Fuzz/proxy", "a/b/c"]
)
def test_what_is_no_service_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no service"):
        parse_service_target(text)


def test_a_url_has_a_name_or_an_address_to_verify() -> None:
    assert parse_url_target("https://proxy.example.com:8443").server_name == "proxy.example.com"
    assert parse_url_target("https://[2001:db8::1]:8443/").server_name == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy:8443",
        "https://",
        "https://proxy/path",
        "https://proxy?x=1",
        "https://me@proxy",
        "https://proxy:99999",
        "proxy:8443",
    ],
)
def test_what_the_api_server_could_not_call_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no address the API server can call"):
        parse_url_target(text)


def test_an_address_may_be_of_either_family() -> None:
    assert parse_address("[::1]:443") == ("::1", 443)
    assert parse_address("10.0.0.1:8443") == ("10.0.0.1", 8443)
    with pytest.raises(InputError, match="is no address"):
        parse_address("10.0.0.1")
