"""Secrets of the user's pods: replaced wherever they turn up, equal ones alike."""

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.redaction import Redactor


def pod_with(value: str, annotation: str = "true") -> JsonObject:
    return {
        "metadata": {"annotations": {"example.com/a": annotation}},
        "spec": {
            "initContainers": [{"name": "i", "env": [{"name": "A", "value": value}]}],
            "containers": [{"name": "c", "env": [{"name": "FROM", "valueFrom": {}}]}],
        },
    }


def redactor_for(*pods: JsonObject) -> Redactor:
    redactor = Redactor(salt=b"salt")
    redactor.learn(pods)
    return redactor


def test_env_values_are_replaced_in_pods_patches_and_messages() -> None:
    redactor = redactor_for(pod_with("s3cret-value"))
    seen = redactor.redact({"deep": [{"value": "s3cret-value"}, "denied: s3cret-value!"]})

    assert "s3cret-value" not in repr(seen)
    assert repr(seen).count("redacted-") == 2


def test_annotation_values_are_replaced() -> None:
    redactor = redactor_for(pod_with("", "a-long-token"))

    assert redactor.redact_text("a-long-token").startswith("redacted-")


def test_equal_values_get_equal_tokens_and_others_do_not() -> None:
    redactor = redactor_for(pod_with("value-one"), pod_with("value-two"))

    assert redactor.redact_text("value-one") == redactor.redact_text("value-one")
    assert redactor.redact_text("value-one") != redactor.redact_text("value-two")


def test_a_secret_inside_another_does_not_show_the_rest() -> None:
    redactor = redactor_for(pod_with("abcd"), pod_with("abcd-efgh"))

    assert "efgh" not in redactor.redact_text("abcd-efgh")


def test_tokens_of_two_runs_differ() -> None:
    first, second = Redactor(), Redactor()
    for redactor in (first, second):
        redactor.learn([pod_with("value-one")])

    assert first.redact_text("value-one") != second.redact_text("value-one")


def test_plain_words_and_numbers_are_left_alone() -> None:
    redactor = redactor_for(pod_with("8080"), pod_with("true"), pod_with("on"))

    assert redactor.redact({"a": "8080", "b": "true", "c": "on"}) == {
        "a": "8080",
        "b": "true",
        "c": "on",
    }


def test_names_of_members_are_never_replaced() -> None:
    redactor = redactor_for(pod_with("containers"))

    assert redactor.redact({"containers": "containers"}) != {"containers": "containers"}
    assert "containers" in repr(redactor.redact({"containers": 1}))


def test_nothing_learnt_changes_nothing() -> None:
    assert Redactor().redact_text("anything") == "anything"
