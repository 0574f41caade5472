import pytest

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream, rewrite


def route(name: str, prefix: str = "", *server_names: str) -> Route:
    upstream = Upstream(
        webhook=WebhookIdentity(configuration="c", name=name, url=""),
        host="127.0.0.1",
        port=1,
        server_name="a",
    )
    return Route(upstream=upstream, prefix=prefix, server_names=frozenset(server_names))


TABLE = RouteTable.of(
    [
        route("any"),
        route("short", "/a"),
        route("long", "/a/b"),
        route("named", "/a/b", "x.example"),
        route("other", "/o", "y.example"),
    ]
)


@pytest.mark.parametrize(
    ("server_name", "target", "found"),
    [
        (None, "/mutate", "any"),
        ("x.example", "/", "any"),
        (None, "/a", "short"),
        (None, "/a?timeout=1s", "short"),
        (None, "/ab", "any"),
        (None, "/a/bc", "short"),
        (None, "/a/b/c", "long"),
        ("x.example", "/a/b?x", "named"),
        ("y.example", "/a/b", "long"),
        ("y.example", "/o/", "other"),
        ("x.example", "/o/", "any"),
    ],
)
def test_the_longest_path_wins_and_names_come_before_any_name(
    server_name: str | None, target: str, found: str
) -> None:
    route = TABLE.find(server_name, target)
    assert route is not None
    assert route.upstream.webhook.name == found


def test_without_a_route_for_everything_some_requests_have_none() -> None:
    assert RouteTable.of([route("a", "/a")]).find(None, "/b") is None


@pytest.mark.parametrize(
    ("prefix", "target", "seen"),
    [
        ("", "/mutate?a", "/mutate?a"),
        ("/a", "/a/mutate?a", "/mutate?a"),
        ("/a", "/a", "/"),
        ("/a", "/a?timeout=1s", "/?timeout=1s"),
        ("/a", "/a/", "/"),
    ],
)
def test_the_prefix_is_taken_away(prefix: str, target: str, seen: str) -> None:
    assert rewrite(route("a", prefix), target) == seen
