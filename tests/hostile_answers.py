"""Answers that nobody means well with: damaged, endless, deep, twofold, huge, and patch bombs."""

import base64
import random
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import orjson

from recorded import answered
from webhook_fuzz.corpora.exchanges import Answered
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at

Make: TypeAlias = Callable[[random.Random, str, bytes], bytes]

_POINTERS: Final = (
    "", "/", "/spec", "/spec/containers", "/spec/containers/0", "/spec/containers/-",
    "/spec/containers/-1", "/spec/containers/99999999999999999999", "/spec/containers/01",
    "/spec/volumes/0/name", "/metadata", "/metadata/annotations/a~1b~0c", "/metadata/name",
    "/metadata/labels/../../etc/passwd", "spec", "/spec/~", "/spec//", "/\0", "/spec/ünïcode",
)  # fmt: skip
_VALUES: Final[tuple[JsonValue, ...]] = (
    None, True, 0, -1, 1e308, 2**63, "", "\0", "x" * 5_000, [], {}, [[]], {"": {}}, {"a.b[c]": 1},
    ["a", {"name": "a"}, 1, None], {"name": {"name": []}}, [{"name": 1}, {"name": 1}],
)  # fmt: skip


def hostile_answers(seed: int, count: int, uid: str, healthy: bytes) -> Iterator[Answered]:
    """Answers to the review `uid`; `healthy` is the body of a proper one."""
    chance = random.Random(seed)  # noqa: S311 - to be the same every time
    for _ in range(count):
        make = chance.choice(_KINDS)
        yield Answered(
            status=chance.choice((200, 201, 206)),
            content_type=chance.choice(("application/json", "", "text/html\r\nx: y")),
            body=make(chance, uid, healthy),
        )


def _truncated(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    return healthy[: chance.randrange(len(healthy))]


def _flipped(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    body = bytearray(healthy)
    for _ in range(chance.choice((1, 1, 3, 50))):
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body)


def _flipped_patch(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    patch = bytearray(base64.b64decode(orjson.loads(healthy)["response"]["patch"]))
    for _ in range(chance.choice((1, 2, 9))):
        patch[chance.randrange(len(patch))] ^= 1 << chance.randrange(8)
    return _with_patch(bytes(patch), uid)


def _noise(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    return chance.randbytes(chance.randrange(3_000))


def _deep(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    depth = chance.choice((200, 1_100, 10_000))
    before, after = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = before * depth + b"1" + (after * depth if chance.random() < 0.8 else b"")
    where = chance.randrange(3)
    if where == 0:
        return deep
    if where == 1:
        return b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","x":' + deep + b"}"
    return _with_patch(b'[{"op":"add","path":"/spec/x","value":' + deep + b"}]", uid)


def _twofold(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    pairs = b",".join(
        b'"%b":%b' % (key, value)
        for key, value in (
            (chance.choice((b"op", b"path", b"value")), b'"add"'),
            (b"op", b'"replace"'),
            (b"path", b'"/spec/containers"'),
            (b"value", b'{"name":"a","name":"b"}'),
            (b"op", chance.choice((b'"remove"', b"1", b"null", b"[]"))),
        )
    )
    if chance.random() < 0.5:
        return healthy.replace(b'"uid":', b'"uid":1,"allowed":false,"uid":', 1)
    return _with_patch(b"[{" + pairs + b"}]", uid)


def _huge_numbers(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    digits = b"9" * chance.choice((20, 400, 5_000))
    number = chance.choice((digits, b"-" + digits, digits + b".5", b"1e" + digits[:6], b"1E-999"))
    path = chance.choice((b"/spec/priority", b"/spec/containers/0/ports", b"/spec/x", b"/spec/tty"))
    patch = b'[{"op":"add","path":"%b","value":%b},{"op":"test","path":"%b","value":%b}]'
    return _with_patch(patch % (path, number, path, digits), uid)


def _operations(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    patch: list[JsonObject] = [
        {
            "op": chance.choice(("add", "remove", "replace", "move", "copy", "test", "", "Add")),
            "path": chance.choice(_POINTERS),
            "from": chance.choice(_POINTERS),
            "value": chance.choice(_VALUES),
        }
        for _ in range(chance.choice((1, 2, 5, 40)))
    ]
    for operation in patch:
        if chance.random() < 0.2:
            operation.pop(chance.choice(list(operation)))
    return answered([*patch], uid).body


def _copies(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    """Each copy holds all that was copied before."""
    patch: list[JsonObject] = [{"op": "add", "path": "/spec/bomb", "value": {"a": "x" * 100}}]
    for number in range(chance.choice((10, 40, 400))):
        place = f"/spec/bomb/{number}"
        patch.append({"op": "copy", "from": chance.choice(("/spec/bomb", "/spec")), "path": place})
    return answered([*patch], uid).body


def _many_elements(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    path = chance.choice(("/spec/containers/0", "/spec/tolerations/-", "/spec/volumes/-"))
    elements: JsonValue = [{"name": f"n{number}"} for number in range(1_000)]
    if chance.random() < 0.5:
        return answered([{"op": "add", "path": "/spec/tolerations", "value": elements}], uid).body
    values: list[JsonValue] = [{"name": "same"}, {"key": "a"}, None]
    value = chance.choice(values)
    return answered([{"op": "add", "path": path, "value": value}] * 300, uid).body


def _wrong_members(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    review: JsonObject = orjson.loads(healthy)
    for _ in range(chance.choice((1, 3))):
        holder = chance.choice((review, object_at(review, "response")))
        if holder:
            names = [*holder, "status", "warnings", "auditAnnotations"]
            if (name := chance.choice(names)) != "response":
                holder[name] = chance.choice(_VALUES)
    return orjson.dumps(review)


def _yaml(chance: random.Random, uid: str, healthy: bytes) -> bytes:
    anchors = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b]\n"
    plain = f"apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nresponse: {{uid: {uid}}}\n"
    deep = "- " * chance.choice((10, 3_000)) + "x"
    tagged = "!!python/object/apply:os.system [x]\n"
    return chance.choice((anchors, plain, deep, tagged, plain + anchors)).encode()


def _with_patch(patch: bytes, uid: str) -> bytes:
    return (
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"%b",'
        b'"allowed":true,"patchType":"JSONPatch","patch":"%b"}}'
        % (uid.encode(), base64.b64encode(patch))
    )


_KINDS: Final[tuple[Make, ...]] = (
    _truncated,
    _flipped,
    _flipped_patch,
    _noise,
    _deep,
    _twofold,
    _huge_numbers,
    _operations,
    _operations,
    _copies,
    _many_elements,
    _wrong_members,
    _yaml,
)
