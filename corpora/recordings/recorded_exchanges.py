"""What is kept of one call?

An exchange as every check reads it, with what a recording adds: where it stands, when it was, which
attempt of which invocation. What was redacted is redacted here already.
"""

from dataclasses import dataclass
from typing import TypeAlias

from webhook_fuzz.corpora.exchanges import Exchange

TextHeaders: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedExchange:
    """One recorded call.

    `id` is unique in its recording and stays when recordings are merged. `attempt` counts from 1
    over calls with the same uid of the same webhook: the API server repeats a call that failed in
    some ways, and does not change the uid then. `invocation` counts from 1 over the calls of one
    webhook for the same request to the API server: 2 is a reinvocation, which has a uid of its own.
    `request` is equal for all calls, of all webhooks, of the same request to the API server, as far
    as that can be told. `target` is path and query. `status` and `answer_headers` are those of the
    HTTP answer, None and () where there was none. `unread_request` is the body of a request that is
    no JSON object; `exchange.review` is empty then.
    """

    id: str
    exchange: Exchange
    started_at: float
    upstream_seconds: float
    target: str
    request: str
    attempt: int = 1
    invocation: int = 1
    hung_up: bool = False
    raw: bool = False
    request_headers: TextHeaders = ()
    status: int | None = None
    answer_headers: TextHeaders = ()
    unread_request: bytes = b""
