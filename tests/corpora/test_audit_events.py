import gzip
import json
from pathlib import Path

import pytest

from webhook_fuzz.corpora.audit_events import find_pod_creation, iterate_pod_creations
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue


def event(name: str = "web", **members: JsonValue) -> JsonObject:
    reference: JsonObject = {"resource": "pods", "namespace": "shop", "name": name}
    return {
        "kind": "Event",
        "level": "Request",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "verb": "create",
        "user": {"username": "alice"},
        "objectRef": reference,
        "responseStatus": {"code": 201},
        "requestObject": {"metadata": {"name": name}},
        **members,
    }


def generated(answer: str = "") -> JsonObject:
    reference: JsonObject = {"resource": "pods", "namespace": "shop"}
    response: JsonObject = {
        "kind": "Pod",
        "metadata": {"name": answer, "namespace": "shop"},
    }
    return event(
        objectRef=reference,
        requestObject={"metadata": {"generateName": "web-"}},
        responseObject=response if answer else {"kind": "Status"},
    )


def log(folder: Path, *events: JsonObject | str) -> Path:
    file = folder / "audit.log"
    lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_the_creation_of_a_pod_is_found_by_its_name(tmp_path: Path) -> None:
    found = find_pod_creation(log(tmp_path, event("a"), event("web"), event("b")), "shop", "web")
    assert (found.name, found.level, found.user, found.code) == ("web", "Request", "alice", 201)
    assert found.stored is None


def test_the_last_creation_counts(tmp_path: Path) -> None:
    file = log(tmp_path, event(level="Metadata"), event(level="Request"))
    assert find_pod_creation(file, "shop", "web").level == "Request"


@pytest.mark.parametrize(
    "other",
    [
        event(kind="Pod"),
        event(verb="update", note='"create"'),
        event(stage="RequestReceived"),
        event(objectRef={"resource": "pods", "subresource": "binding", "name": "web"}),
        event(objectRef={"resource": "services", "name": "web"}, note='"pods"'),
        event(responseStatus={"code": 403}),
        event(requestURI="/api/v1/namespaces/shop/pods?dryRun=All"),
        event(objectRef={"resource": "pods", "namespace": "other", "name": "web"}),
        event("web-2"),
        '["create", "pods"]',
        "not JSON, and none of our business",
    ],
)
def test_other_events_are_not_it(tmp_path: Path, other: JsonObject | str) -> None:
    with pytest.raises(InputError, match="the creation of the pod shop/web is not in it"):
        find_pod_creation(log(tmp_path, other), "shop", "web")


def test_a_generated_name_is_in_the_response(tmp_path: Path) -> None:
    file = log(tmp_path, generated("web-1"), generated("web-2"))
    assert find_pod_creation(file, "shop", "web-2").name == "web-2"


def test_without_a_response_the_only_one_with_such_a_name_is_it(tmp_path: Path) -> None:
    found = find_pod_creation(log(tmp_path, generated()), "shop", "web-x")
    assert (found.name, found.generate_name) == ("", "web-")


def test_which_of_several_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 pods were created with generateName web-"):
        find_pod_creation(log(tmp_path, generated(), generated()), "shop", "web-x")


def test_a_compressed_log_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "audit.log.gz"
    file.write_bytes(gzip.compress(json.dumps(event()).encode()))
    assert [each.name for each in iterate_pod_creations(file)] == ["web"]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = log(tmp_path, event(), '{"verb":"create","objectRef":{"resource":"pods"')
    with pytest.raises(InputError, match=r"audit\.log:2: not JSON"):
        find_pod_creation(file, "shop", "web")


def test_a_log_that_cannot_be_read_is_the_user_s_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        find_pod_creation(tmp_path / "nothing.log", "shop", "web")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"x" * 10_000)[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        find_pod_creation(cut, "shop", "web")


def test_members_of_the_wrong_type_are_as_good_as_none(tmp_path: Path) -> None:
    odd = event(user=None, responseStatus={"code": "x"}, requestObject=[], level=7)
    [found] = iterate_pod_creations(log(tmp_path, odd))
    assert (found.user, found.code, found.level) == ("", 0, "")
