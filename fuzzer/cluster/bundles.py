"""How is a cluster asked that is not there any more?

`RecordingApi` keeps what an API server answered to questions that change nothing, masked before it
is kept; `BundleApi` answers the same questions from what was kept. Whoever asks does not see the
difference, but for one thing: what was not asked then is not known now, and is said to be unseen
instead of missing. Secrets and ConfigMaps are never kept, whoever asks for them.
"""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from webhook_fuzz.corpora.bundles import Bundle, KeptAnswer
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.maskings import Masker

_NEVER_KEPT: Final = re.compile(r"/(secrets|configmaps)(/|$)")
# Questions that are asked with POST and store nothing: what may I do, who am I.
_QUESTIONS: Final = re.compile(r"/apis/(authorization|authentication)\.k8s\.io/.*reviews$")


class RecordingApi:
    """Passes requests on to `api` and keeps the answers; the last one to each question counts."""

    def __init__(self, api: ClusterApi, masker: Masker) -> None:
        self._api = api
        self._masker = masker
        self._kept: dict[bytes, KeptAnswer] = {}

    @property
    def answers(self) -> tuple[KeptAnswer, ...]:
        """What was kept, in the order in which it was first asked."""
        return tuple(self._kept.values())

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """The answer of the API server behind it. Raises what that raises."""
        try:
            answer = await self._api.ask(request)
        except ClusterError as error:
            self._keep(request, None, error)
            raise
        self._keep(request, answer, None)
        return answer

    def _keep(
        self, request: ClusterRequest, answer: ClusterAnswer | None, error: ClusterError | None
    ) -> None:
        if not _is_question(request):
            return
        self._kept[_key(request.method, request.path, request.query, _sent(request))] = KeptAnswer(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            sent=_sent(request),
            status=answer.status if answer else 0,
            content_type=answer.content_type if answer else "",
            body=self._masker.mask(_body(answer)) if answer else None,
            trouble=error.trouble.value if error else "",
            message=str(self._masker.mask(error.message)) if error else "",
        )


class BundleApi:
    """Answers from a bundle. `name` is the file's, for messages."""

    def __init__(self, bundle: Bundle, *, name: str) -> None:
        self._bundle = bundle
        self._name = name
        self._kept = {
            _key(kept.method, kept.path, kept.query, kept.sent): kept for kept in bundle.answers
        }

    @property
    def context(self) -> str:
        """The context the bundle was made with, for people."""
        return self._bundle.context

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._bundle.server

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """The answer that was kept.

        Raises ClusterError where there was none then, and where it was not asked: the latter is no
        NOT_FOUND, since nothing is known.
        """
        asked = f"{request.method} {request.path}"
        kept = self._kept.get(_key(request.method, request.path, request.query, _sent(request)))
        if kept is None:
            raise ClusterError(
                f"{asked}: not in the bundle {self._name}",
                hint="It was not asked when the bundle was made: ask the cluster itself, or make "
                "the bundle with the command that is to read it.",
                trouble=Trouble.UNREACHABLE,
            )
        if kept.trouble:
            raise cluster_error(asked, kept.message, _trouble(kept.trouble))
        return ClusterAnswer(
            status=kept.status, body=_bytes(kept.body), content_type=kept.content_type
        )


def _is_question(request: ClusterRequest) -> bool:
    if _NEVER_KEPT.search(request.path):
        return False
    return request.method == "GET" or (
        request.method == "POST" and _QUESTIONS.fullmatch(request.path) is not None
    )


def _key(method: str, path: str, query: Mapping[str, str], sent: JsonValue) -> bytes:
    return orjson.dumps([method, path, dict(query), sent], option=orjson.OPT_SORT_KEYS)


def _sent(request: ClusterRequest) -> JsonValue:
    if request.body is None or request.method == "GET":
        return None
    try:
        sent: JsonValue = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return sent


def _body(answer: ClusterAnswer) -> JsonValue:
    """A JSON body as a value, any other as text."""
    document = answer.document()
    return answer.body.decode("utf-8", "replace") if document is None else document


def _bytes(body: JsonValue) -> bytes:
    return body.encode("utf-8", "replace") if isinstance(body, str) else orjson.dumps(body)


def _trouble(word: str) -> Trouble:
    return Trouble(word) if word in set(Trouble) else Trouble.BROKEN
