import base64
import json

import pytest

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.maskings import Masker

SECRET = "hunter2-hunter2"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0abc.c2lnbmF0dXJl"


def pod(secret: str = SECRET) -> JsonObject:
    return {
        "metadata": {
            "annotations": {"vault/token": secret, "cert-manager.io/inject-ca-from": "ns/name"},
            "labels": {"app": secret},
        },
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "env": [{"name": "KEY", "value": secret}, {"name": "REF", "valueFrom": {}}, 1],
                }
            ]
        },
    }


def test_values_of_variables_and_annotations_are_masked_in_their_places() -> None:
    masked = Masker().mask({"items": [{"template": pod()}]})
    text = json.dumps(masked)
    assert '"vault/token": "redacted-' in text
    assert '"KEY", "value": "redacted-' in text
    # Names and labels are what is judged: they stay, whatever else has the same text.
    assert f'"app": "{SECRET}"' in text


def test_annotations_that_say_who_manages_an_object_stay() -> None:
    assert '"cert-manager.io/inject-ca-from": "ns/name"' in json.dumps(Masker().mask(pod()))


def test_equal_values_get_equal_tokens_and_another_masker_others() -> None:
    masker = Masker()
    assert masker.mask(pod()) == masker.mask(pod())
    assert masker.mask(pod()) != masker.mask(pod("another-secret"))
    assert Masker().mask(pod()) != masker.mask(pod())


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "Authorization: Bearer abcdefgh12345678",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIE",
        "ghp_0123456789abcdefghijABCDEF",
        "AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_what_looks_like_a_credential_is_masked_wherever_it_is(text: str) -> None:
    masked = Masker().mask({"args": [f"--x={text}"], "message": text})
    assert text not in json.dumps(masked)
    assert "redacted-credential" in json.dumps(masked)


def test_a_certificate_is_no_credential() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"
    assert Masker().mask({"caBundle": pem}) == {"caBundle": pem}


def test_in_traffic_a_secret_is_masked_in_every_text_that_follows() -> None:
    masker = Masker()
    masker.mask_traffic({"request": {"object": pod()}})
    assert SECRET not in str(masker.mask_traffic(f"the value {SECRET} is not allowed"))


def answer(*operations: JsonObject) -> bytes:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return json.dumps({"response": {"uid": "u", "allowed": True, "patch": patch}}).encode()


def operations_of(body: bytes) -> list[JsonObject]:
    operations: list[JsonObject] = json.loads(
        base64.b64decode(json.loads(body)["response"]["patch"])
    )
    return operations


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/spec/containers/0/env", [{"name": "A", "value": SECRET}]),
        ("/spec/containers/0/env/-", {"name": "A", "value": SECRET}),
        ("/spec/containers/0/env/3/value", SECRET),
        ("/metadata/annotations", {"a": SECRET}),
        ("/metadata/annotations/a~1b", SECRET),
        ("/spec/containers/-", {"name": "x", "env": [{"name": "A", "value": SECRET}]}),
    ],
)
def test_what_a_webhook_adds_is_masked_inside_its_patch(path: str, value: JsonValue) -> None:
    operation: JsonObject = {"op": "add", "path": path, "value": value}
    [found] = operations_of(Masker().mask_body(answer(operation)))
    assert (found["op"], found["path"]) == ("add", path)
    assert SECRET not in json.dumps(found)
    assert "redacted-" in json.dumps(found)


def test_what_else_a_patch_sets_stays() -> None:
    operations: list[JsonObject] = [
        {"op": "add", "path": "/metadata/labels/a", "value": "plain-value"},
        {"op": "add", "path": "/metadata/annotations/cert-manager.io~1x", "value": "plain-value"},
        {"op": "remove", "path": "/spec/x"},
        {"path": 3},
    ]
    assert operations_of(Masker().mask_body(answer(*operations))) == operations


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{ "response": {"x": 1.50} }',
        answer({"op": "add", "path": "/x", "value": 1}),
        b"[1,2]",
        b'{"response":{"patch":"%%%"}}',
        b'{"response":{"patch":7}}',
        b"<html>",
    ],
)
def test_a_body_that_is_no_answer_stays_what_it_is(body: bytes) -> None:
    assert Masker().mask_body(body) == body


def test_a_secret_in_a_text_body_is_masked() -> None:
    masker = Masker()
    masker.mask_traffic(pod())
    assert SECRET.encode() not in masker.mask_body(f"cannot use {SECRET}".encode())


def test_words_of_the_api_stay_words_though_an_annotation_says_the_same() -> None:
    given: JsonObject = {
        "metadata": {"annotations": {"policy": "Always"}},
        "restartPolicy": "Always",
    }
    masked = Masker().mask_traffic(given)
    assert isinstance(masked, dict)
    assert masked["restartPolicy"] == "Always"
    assert "Always" not in str(masked["metadata"])


def test_the_path_of_an_operation_stays_whatever_is_a_secret() -> None:
    masker = Masker()
    masker.mask_traffic({"annotations": {"status": "injected"}})
    operation: JsonObject = {"op": "remove", "path": "/metadata/annotations/injected-by"}
    assert masker.mask_traffic([operation]) == [operation]
    assert "injected" not in str(masker.mask_traffic({"path": "/injected"}))
