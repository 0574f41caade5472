"""The call orders of the reference were seen on a real MutatingAdmissionWebhook plugin."""

import pytest

from chain_webhooks import chain, entry
from webhook_fuzz.fuzzer.chains.reinvocations import Reinvocations


def order(spelled: str, changes: str, *, second: str = "") -> str:
    """The calls of both rounds; upper-case webhooks are IfNeeded.

    `changes` are those that change the pod in the first round, `second` in the second.
    """
    webhooks = chain(
        *(
            entry(name, reinvocationPolicy="IfNeeded" if name.isupper() else "Never")
            for name in spelled
        )
    )
    state, called = Reinvocations(), ""
    for changing in (changes, second):
        for webhook in webhooks:
            if state.is_due(webhook):
                called += webhook.name
                state.note(webhook, changed=webhook.name in changing)
        if not state.needed:
            break
        if state.round == 0:
            state.start_again()
            called += "|"
    return called


@pytest.mark.parametrize(
    ("spelled", "changes", "expected"),
    [
        ("Ab", "b", "Ab|A"),
        ("aB", "aB", "aB|"),
        ("ABD", "ABD", "ABD|AB"),
        ("Xb", "Xb", "Xb|X"),
        ("XbN", "Xb", "XbN|X"),
        ("AB", "", "AB"),
        ("AB", "A", "AB|"),
    ],
)
def test_who_is_called_again_is_what_the_server_does(
    spelled: str, changes: str, expected: str
) -> None:
    assert order(spelled, changes) == expected


def test_a_change_in_the_second_round_queues_those_whose_turn_has_not_come() -> None:
    assert order("ABC", "B", second="A") == "ABC|ABC"


def test_there_is_no_third_round() -> None:
    assert order("Ab", "b", second="A") == "Ab|A"


def test_those_not_queued_may_be_if_a_plugin_changes_the_pod() -> None:
    first, second = chain(
        entry("a", reinvocationPolicy="IfNeeded"), entry("b", reinvocationPolicy="IfNeeded")
    )
    state = Reinvocations()
    state.note(first, changed=True)
    state.note(second, changed=True)
    assert state.undecided == {second.position}
