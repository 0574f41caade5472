import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.transports.targets import parse_target, redirected

SERVICE = "hook.ns.svc"


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("https://h", "https://h/?timeout=10s"),
        ("https://h/", "https://h/?timeout=10s"),
        ("https://h:8443/mutate/", "https://h:8443/mutate?timeout=10s"),
        ("https://h//a/./b/../c//", "https://h/a/c?timeout=10s"),
        ("https://h/../../a", "https://h/a?timeout=10s"),
        ("https://h/a%2Fb", "https://h/a%2Fb?timeout=10s"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a?timeout=10s"),
    ],
)
def test_the_path_is_cleaned_as_the_api_server_does(url: str, called: str) -> None:
    assert str(parse_target(url, server_name=None, timeout_seconds=10).url) == called


def test_without_a_service_the_host_is_the_urls_own() -> None:
    target = parse_target("https://h:8443/a", server_name=None, timeout_seconds=10)
    assert (target.host_header, target.verified_name) == ("h:8443", None)


def test_with_a_service_the_port_is_always_in_host() -> None:
    target = parse_target("https://127.0.0.1:8443/a", server_name=SERVICE, timeout_seconds=10)
    assert (target.host_header, target.verified_name) == ("hook.ns.svc:443", SERVICE)


@pytest.mark.parametrize("url", ["https://h a/", "https://:8443/", "https://h/?", "https://h/#"])
def test_an_unusable_url_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_target(url, server_name=None, timeout_seconds=10)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("location", "called"),
    [
        ("/v2", "https://127.0.0.1:8443/v2"),
        ("v2?a=b", "https://127.0.0.1:8443/v1/v2?a=b"),
        ("https://hook.ns.svc/v2", "https://127.0.0.1:8443/v2"),
        ("https://hook.ns.svc:443", "https://127.0.0.1:8443/"),
    ],
)
def test_a_redirect_to_the_service_is_dialled_where_the_webhook_listens(
    location: str, called: str
) -> None:
    url = "https://127.0.0.1:8443/v1/mutate"
    target = parse_target(url, server_name=SERVICE, timeout_seconds=10)
    onward = redirected(target, location)
    assert onward is not None
    assert str(onward.url) == called
    assert (onward.host_header, onward.verified_name) == ("hook.ns.svc:443", SERVICE)


@pytest.mark.parametrize(
    "location",
    ["https://other.ns.svc/v2", "http://hook.ns.svc/v2", "https://hook.ns.svc:8443/", "https://["],
)
def test_a_redirect_to_anybody_else_leads_nowhere(location: str) -> None:
    target = parse_target("https://127.0.0.1:8443/", server_name=SERVICE, timeout_seconds=10)
    assert redirected(target, location) is None
