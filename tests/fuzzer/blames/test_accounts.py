import pytest

from blamed import FIRST, build_pod, container, tree_of
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.blames.accounts import Account, calls_of_audit, focus, leaves
from webhook_fuzz.fuzzer.blames.actors import USER
from webhook_fuzz.fuzzer.blames.trees import walk
from webhook_fuzz.fuzzer.chains.audit_trails import AuditedCall

POD: JsonObject = build_pod({"containers": [container("app"), container("b")], "hostname": "h"})
LEFT: JsonObject = build_pod({"containers": [container("app"), container("b")]})


def account() -> Account:
    tree = tree_of((USER, POD), (FIRST, LEFT))
    return Account(pod="shop/web", source="as it is", tree=tree)


def test_a_focus_keeps_what_is_at_and_below_the_path() -> None:
    found = focus(account(), "spec.containers[name=app]")
    assert [path for path, _ in walk(found.tree)] == [
        "spec",
        "spec.containers",
        "spec.containers[name=app]",
        "spec.containers[name=app].name",
        "spec.containers[name=app].image",
    ]


def test_a_focus_finds_what_is_gone() -> None:
    [*_, (path, node)] = walk(focus(account(), "spec.hostname").tree)
    assert (path, node.remover) == ("spec.hostname", FIRST)


@pytest.mark.parametrize("path", ["spec.nothing", "spec.containers[name=x].image"])
def test_a_focus_on_nothing_is_the_user_s_error(path: str) -> None:
    with pytest.raises(InputError, match="shop/web has no"):
        focus(account(), path)


def test_leaves_are_the_values_that_are_there() -> None:
    assert [node.value for node in leaves(account().tree)] == ["v1", "Pod", "app", "app:1",
                                                               "b", "app:1"]  # fmt: skip


def test_calls_of_the_audit_log_say_what_came_of_them() -> None:
    def call(index: int, *, mutated: bool, failed_open: bool = False) -> AuditedCall:
        return AuditedCall(
            round=0,
            index=index,
            configuration="c",
            webhook="w",
            mutated=mutated,
            failed_open=failed_open,
        )

    calls = [
        call(0, mutated=True),
        call(1, mutated=False),
        call(2, mutated=False, failed_open=True),
    ]
    found = [each.outcome for each in calls_of_audit(calls)]
    assert found == ["patched", "unchanged", "failed-open"]
