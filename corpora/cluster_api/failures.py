"""How does a request to the API server fail, in words a person can act on?

One forbidden list must not end a run that could do everything else: whoever asks turns the error
into an `Unseen` and goes on, and the report says what was not seen and why. An `Unseen` is never
taken for "there is none".
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from webhook_fuzz.corpora.errors import IncompleteRunError

_T = TypeVar("_T")


class Trouble(StrEnum):
    """Why the API server did not do what it was asked."""

    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    THROTTLED = "throttled"
    BROKEN = "server-error"


class ClusterError(IncompleteRunError):
    """A request the API server did not carry out. `said` is its own message, one line.

    `status` is the HTTP status, None where no answer came.
    """

    def __init__(
        self, message: str, *, hint: str, trouble: Trouble, status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Something the cluster did not show. `what` is a noun for people, `why` one sentence."""

    what: str
    why: str
    trouble: Trouble = Trouble.BROKEN


Seen: TypeAlias = _T | Unseen


async def attempt(asked: Awaitable[_T], what: str) -> _T | Unseen:
    """What was asked for, or why it could not be seen."""
    try:
        return await asked
    except ClusterError as error:
        return Unseen(what=what, why=error.message, trouble=error.trouble)


def each_once(seen: Iterable[object]) -> tuple[Unseen, ...]:
    """What of it was not seen, each thing once: the first reason stands for all of its kind."""
    first: dict[str, Unseen] = {}
    for each in seen:
        if isinstance(each, Unseen):
            first.setdefault(each.what, each)
    return tuple(first.values())


_HINTS = {
    Trouble.UNREACHABLE: "Check the server's address in the kubeconfig, the network and the VPN: "
    "`kubectl cluster-info` must work from here.",
    Trouble.UNAUTHORIZED: "The credentials were not accepted: log in again, or choose another "
    "--context.",
    Trouble.FORBIDDEN: "`webhook-fuzz rbac` prints the ClusterRole that is needed.",
    Trouble.NOT_FOUND: "Check the name and the namespace.",
    Trouble.REFUSED: "The API server said why; nothing was changed.",
    Trouble.THROTTLED: "The API server is busy: try again later, or with less --concurrency.",
    Trouble.BROKEN: "Look into the API server's log; nothing was changed.",
}


def trouble_of(status: int) -> Trouble:
    """The trouble an HTTP status stands for."""
    by_status = {
        401: Trouble.UNAUTHORIZED,
        403: Trouble.FORBIDDEN,
        404: Trouble.NOT_FOUND,
        429: Trouble.THROTTLED,
    }
    return by_status.get(status, Trouble.BROKEN if status >= 500 else Trouble.REFUSED)  # noqa: PLR2004 - HTTP


def cluster_error(
    asked: str, said: str, trouble: Trouble, *, status: int | None = None
) -> ClusterError:
    """The error for a request (`GET /api/v1/nodes`) and what came of it."""
    number = f" ({status})" if status is not None else ""
    return ClusterError(
        f"{asked}: {said}{number}", hint=_HINTS[trouble], trouble=trouble, status=status
    )
