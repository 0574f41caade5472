"""Which recorded exchange shows a finding, and how is it kept until the report is written?

As bytes, because an exchange that was read takes ten times as much memory; within a budget, because
a hostile recording may show a thousand findings by pods of 3 MiB each. An exchange that shows
several findings is kept once.
"""

from dataclasses import dataclass
from typing import Final

import orjson

from webhook_fuzz.corpora.exchanges import Exchange, Outcome, WebhookIdentity
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange

MOST_BYTES: Final = 96 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """An exchange that shows a finding; `size` is that of its object and answer, in bytes."""

    id: str
    size: int
    raw: bool
    webhook: WebhookIdentity
    review: bytes
    outcome: Outcome
    seconds: float

    @property
    def recorded(self) -> RecordedExchange:
        """The exchange as it would stand in a recording, without what no check looks at."""
        return RecordedExchange(
            id=self.id,
            exchange=self.exchange,
            started_at=0.0,
            upstream_seconds=self.seconds,
            target="",
            request=self.id,
        )

    @property
    def exchange(self) -> Exchange:
        """The exchange again; a value of its own at every call."""
        return Exchange(
            webhook=self.webhook,
            review=orjson.loads(self.review),
            outcome=self.outcome,
            seconds=self.seconds,
        )


class WitnessStore:
    """Keeps witnesses, each one once, up to a number of bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._users: dict[int, int] = {}
        self._newest: tuple[RecordedExchange, Witness] | None = None

    def keep(
        self, recorded: RecordedExchange, size: int, *, instead_of: Witness | None
    ) -> Witness | None:
        """The witness for one more finding; None where it has no room.

        `instead_of` is what showed the finding until now; it is let go if there is.
        """
        witness = self._encode(recorded, size)
        if witness is None:
            return None
        users = self._users.get(id(witness), 0)
        needed = 0 if users else _weight(witness)
        freed = _weight(instead_of) if instead_of and self._users[id(instead_of)] == 1 else 0
        if self._bytes + needed - freed > self._most:
            return None
        self._bytes += needed
        self._users[id(witness)] = users + 1
        self._newest = (recorded, witness)
        if instead_of is not None:
            self._let_go(instead_of)
        return witness

    def _encode(self, recorded: RecordedExchange, size: int) -> Witness | None:
        if self._newest is not None and self._newest[0] is recorded:
            return self._newest[1]
        return _encoded(recorded, size)

    def _let_go(self, witness: Witness) -> None:
        self._users[id(witness)] -= 1
        if not self._users[id(witness)]:
            del self._users[id(witness)]
            self._bytes -= _weight(witness)


def _encoded(recorded: RecordedExchange, size: int) -> Witness | None:
    exchange = recorded.exchange
    try:
        review = orjson.dumps(exchange.review)
    except TypeError:  # what is beside the object can be nested too deep as well
        return None
    return Witness(
        id=recorded.id,
        size=size,
        raw=recorded.raw,
        webhook=exchange.webhook,
        review=review,
        outcome=exchange.outcome,
        seconds=exchange.seconds,
    )


def _weight(witness: Witness) -> int:
    return len(witness.review) + len(witness.outcome.body)
