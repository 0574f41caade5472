"""Where do exchanges go that the proxy saw?

A sink runs in a process of its own, off the request path: it may be slow, it may fail, and no
review waits for it. What it does is not the proxy's business: it may write a recording, or judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often something happened since the sink began, for people and for metrics.

    `name` is snake_case without a prefix or suffix (`records_written`); `labels` are few and of few
    values (`{"code": "WF101"}`), and never hold anything of a pod. `is_gauge` says that it is a
    present value, which can fall.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    is_gauge: bool = False


class Sink(Protocol):
    """Takes what was seen, one exchange after the other, in one thread."""

    def take(self, exchange: RawExchange) -> None:
        """Do whatever is done with it. Raises nothing for what is in the exchange."""
        ...

    def tick(self, now: float) -> None:
        """Called about once a second, also when nothing comes; `now` is seconds since the epoch."""
        ...

    def counts(self) -> Sequence[Count]:
        """What happened so far."""
        ...

    def close(self) -> None:
        """Finish what was begun; nothing comes afterwards."""
        ...


class SinkFactory(Protocol):
    """Opens a sink in its process: whatever is this must be picklable."""

    def __call__(self) -> Sink:
        """The sink. Raises InputError where it cannot be opened."""
        ...
