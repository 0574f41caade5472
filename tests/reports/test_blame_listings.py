import json
import re

import pytest

from blamed import FIRST, SECOND, build_pod, container, tree_of
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.accounts import Account, Call
from webhook_fuzz.fuzzer.blames.actors import DEFAULT, UNKNOWN, USER, Actor, ActorKind
from webhook_fuzz.fuzzer.blames.histories import plugin_by_elimination
from webhook_fuzz.reports.blame_listings import ListingOptions, label_of, render_blame
from webhook_fuzz.reports.blame_results import fold_account, render_blame_json

SIDECAR = container("logs", restartPolicy="Always")
GIVEN = build_pod(
    {"initContainers": [SIDECAR], "containers": [container("app", args=["--on", "yes"])]},
    name="web",
    labels={"app": "web"},
)
DEFAULTED = build_pod(
    {
        "initContainers": [SIDECAR],
        "containers": [container("app", args=["--on", "yes"])],
        "dnsPolicy": "ClusterFirst",
    },
    name="web",
    labels={"app": "web"},
)
ENDED = build_pod(
    {
        "initContainers": [container("logs")],
        "containers": [
            container("mesh", args=["\x1b[31mred"]),
            container("app", image="app:2", args=["--on", "yes"]),
        ],
        "dnsPolicy": "ClusterFirst",
    },
    name="web",
    labels={"app": "web"},
)
CALLS = (
    Call(position=0, round=0, webhook="config/first", outcome="patched", reason="It patched."),
    Call(position=1, round=0, webhook="config/second", outcome="skipped", reason="No rule."),
    Call(position=2, round=0, webhook="config/third", outcome="unknown", reason="No way."),
)


def account() -> Account:
    tree = tree_of((USER, GIVEN), (DEFAULT, DEFAULTED), (FIRST, ENDED))
    return Account(
        pod="shop/web",
        source="as a dry run in the context staging would store it",
        tree=tree,
        calls=CALLS,
        notes=("The pod was sent without spec.future.",),
        not_seen=(("nodes", "forbidden"),),
        complete=False,
    )


def large(count: int, *, touched: bool = False) -> Account:
    containers: list[JsonValue] = [container(f"c{n}", tty=True) for n in range(count)]
    others = [
        container(f"c{n}", tty=True, env=[{"name": "MESH", "value": "on"}]) for n in range(count)
    ]
    ended: list[JsonValue] = [*others] if touched else [container("mesh", tty=True), *containers]
    tree = tree_of(
        (USER, build_pod({"containers": containers}, name="web")),
        (FIRST, build_pod({"containers": ended}, name="web")),
    )
    return Account(pod="shop/web", source="as it is", tree=tree)


def listing(text: str) -> list[str]:
    """The lines of the pod alone."""
    return [line for line in text.splitlines() if "│" in line]


def test_a_pod_is_listed_with_who_set_each_line() -> None:
    assert render_blame(account()).splitlines() == [
        "Pod shop/web: as a dry run in the context staging would store it",
        "",
        "  set  changed  took",
        "    9        -     -  user",
        "    1        -     -  default",
        "    3        1     1  #1 config  config/first",
        "",
        "user      │  apiVersion: v1",
        "          │  kind: Pod",
        "          │  metadata:",
        "          │    name: web",
        "          │    labels:",
        "          │      app: web",
        "          │  spec:",
        "          │    initContainers:",
        "          │    - name: logs",
        "          │      image: app:1",
        "#1 config │-     restartPolicy: Always  # set by user",
        "user      │    containers:",
        "#1 config │    - name: mesh",
        "          │      image: app:1",
        "          │      args:",
        r'          │      - "\u001b[31mred"',
        "user      │    - name: app",
        "#1 config │~     image: app:2  # was app:1 by user",
        "user      │      args:",
        '          │      - "--on"',
        '          │      - "yes"',
        "default   │    dnsPolicy: ClusterFirst",
        "",
        "Missing: 1 field",
        "- spec.initContainers[name=logs].restartPolicy, set by user, taken by config/first. Seen.",
        "",
        "#3 config/third: unknown. No way.",
        "3 webhooks: 1 patched, 1 skipped, 1 unknown.",
        "not seen: nodes (forbidden)",
        "The pod was sent without spec.future.",
    ]


def test_every_container_nobody_touched_is_one_line_and_many_are_a_few() -> None:
    lines = listing(render_blame(large(60)))
    assert lines[-4:] == [
        "#1 config │    - name: mesh  … 3 fields",
        "user      │    - name: c0  … 3 fields",
        "          │    - name: c1  … 3 fields",
        "          │    … 58 more, 174 fields",
    ]
    assert len(lines) < 12


def test_what_a_webhook_did_to_every_container_is_shown_in_every_one() -> None:
    text = render_blame(large(60, touched=True))
    assert text.count('value: "on"') == 60


def test_everything_is_shown_where_it_is_asked_for() -> None:
    text = render_blame(large(60), ListingOptions(everything=True))
    assert text.count("tty: true") == 61
    assert "more" not in text


def test_skipped_webhooks_are_listed_where_everything_is() -> None:
    assert "#2 config/second: skipped. No rule." in render_blame(
        account(), ListingOptions(everything=True)
    )


@pytest.mark.parametrize("width", [20, 60, 80, 100, 140])
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    for each in (account(), large(60), large(60, touched=True)):
        text = render_blame(each, ListingOptions(width=width))
        assert max(map(len, text.splitlines())) <= max(width, 60)


def test_long_labels_are_cut() -> None:
    long = Actor(kind=ActorKind.WEBHOOK, name=f"{'x' * 90}/hook", position=11)
    tree = tree_of((USER, GIVEN), (long, ENDED))
    text = render_blame(Account(pod="a/b", source="as it is", tree=tree))
    assert max(map(len, text.splitlines())) <= 100
    assert any(line.startswith("#12 xxxx") and "… │" in line for line in listing(text))


def test_escapes_are_only_ours_and_only_with_colour() -> None:
    assert "\x1b" not in render_blame(account())
    coloured = render_blame(account(), ListingOptions(colour=True))
    assert "\x1b[31m    restartPolicy" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_blame(account())


def test_what_was_gone_in_between_says_by_whom() -> None:
    without: JsonObject = {**GIVEN, "spec": {"containers": []}}
    tree = tree_of(
        (USER, build_pod({"hostname": "a", "containers": []})),
        (FIRST, without),
        (SECOND, build_pod({"hostname": "b", "containers": []})),
    )
    text = render_blame(Account(pod="a/b", source="as it is", tree=tree))
    assert "hostname: b  # was a by user, gone by #1 config" in text


def test_what_is_known_by_elimination_or_not_at_all_is_explained() -> None:
    tree = tree_of(
        (USER, GIVEN), (plugin_by_elimination(), DEFAULTED), (UNKNOWN, ENDED)
    )  # fmt: skip
    text = render_blame(Account(pod="a/b", source="as it is", tree=tree))
    assert "in-tree plugin: No webhook did it when called alone" in text
    assert "? unknown hop: Nothing shows who it was." in text
    assert "No webhook was called." in text


def test_a_removed_element_is_one_line() -> None:
    gone = build_pod({"containers": [container("app"), container("b", env=[], tty=False)]})
    tree = tree_of((USER, gone), (FIRST, build_pod({"containers": [container("app")]})))
    text = render_blame(Account(pod="a/b", source="as it is", tree=tree))
    assert '- {"name": "b", "image": "app:1", "tty": false}  # set by user' in text


@pytest.mark.parametrize(
    ("actor", "label"),
    [
        (USER, "user"),
        (DEFAULT, "default"),
        (FIRST, "#1 config"),
        (Actor(kind=ActorKind.WEBHOOK, name="c/w", position=0, round=1), "#1 c (again)"),
        (Actor(kind=ActorKind.WEBHOOK, name="c/w"), "c"),
        (Actor(kind=ActorKind.PLUGIN, name="Priority"), "Priority"),
        (Actor(kind=ActorKind.PLUGIN), "in-tree plugin"),
        (Actor(kind=ActorKind.CONTROLLER, name="Job controller"), "controller"),
        (Actor(kind=ActorKind.SERVER), "API server"),
        (Actor(kind=ActorKind.SERVER, name="gate X"), "gate X"),
        (Actor(kind=ActorKind.NODE, name="kube-scheduler"), "kube-scheduler"),
        (Actor(kind=ActorKind.EDITOR, name="kubectl"), "kubectl"),
        (UNKNOWN, "? unknown hop"),
    ],
)
def test_everybody_has_a_label(actor: Actor, label: str) -> None:
    assert label_of(actor) == label


def test_the_document_has_the_fields_and_what_is_gone() -> None:
    found = fold_account(account(), version="1.0")
    assert found["schema"] == "webhook-fuzz/blame/v1"
    by_path = {field["path"]: field for field in found["fields"]}
    image = by_path["spec.containers[name=app].image"]
    assert (image["value"], image["set_by"]["name"]) == ("app:2", "config/first")
    assert [past["value"] for past in image["earlier"]] == ["app:1"]
    [gone] = found["gone"]
    assert gone["path"] == "spec.initContainers[name=logs].restartPolicy"
    assert (gone["set_by"]["kind"], gone["taken_by"]["position"]) == ("user", 0)
    assert found["calls"][1]["outcome"] == "skipped"
    assert found["not_seen"] == [{"what": "nodes", "why": "forbidden"}]
    assert not found["complete"]


def test_an_element_that_is_gone_is_one_entry_of_the_document() -> None:
    gone = build_pod({"containers": [container("app"), container("b")]})
    tree = tree_of((USER, gone), (FIRST, build_pod({"containers": [container("app")]})))
    found = fold_account(Account(pod="a/b", source="", tree=tree), version="1")
    assert [each["path"] for each in found["gone"]] == ["spec.containers[name=b]"]


def test_the_document_is_json_whatever_a_pod_holds() -> None:
    odd = build_pod({"hostname": "\ud800", "x": 2**70})
    found = fold_account(Account(pod="a/b", source="", tree=tree_of((USER, odd))), version="1")
    values = [field["value"] for field in json.loads(render_blame_json(found))["fields"]]
    assert "\ud800" in values
    assert 2**70 in values
