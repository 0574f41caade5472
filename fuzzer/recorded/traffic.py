"""What does a whole recording, or the traffic that passes right now, come to?

Every exchange is judged and folded into what is known of its webhook; what cannot be judged is
counted with the reason. Memory stays the same however many there are.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.recorded.judging import NotJudged, TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic_tallies import Occurrences, TrafficTally
from webhook_fuzz.fuzzer.recorded.witnesses import WitnessStore

MOST_WEBHOOKS: Final = 500

_Name: TypeAlias = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Judges exchanges one after the other. `seen` counts them all, `not_judged` by the reason.

    `failed` are the ids of the first exchanges no check could be run on.
    """

    judge: TrafficJudge
    seen: Occurrences = field(default_factory=Occurrences)
    not_judged: Counter[NotJudged] = field(default_factory=Counter[NotJudged])
    failed: list[str] = field(default_factory=list[str])
    tallies: dict[_Name, TrafficTally] = field(default_factory=dict[_Name, TrafficTally])
    _store: WitnessStore = field(default_factory=WitnessStore)

    def add(self, recorded: RecordedExchange) -> None:
        """Judge one exchange; raises nothing for what is in it."""
        self.seen.add(recorded)
        judged = self.judge.judge(recorded)
        if isinstance(judged, NotJudged):
            self._leave_out(judged, recorded)
            return
        webhook = recorded.exchange.webhook
        name = (webhook.configuration, webhook.name)
        tally = self.tallies.get(name)
        if tally is None:
            if len(self.tallies) >= MOST_WEBHOOKS:
                self._leave_out(NotJudged.WEBHOOKS, recorded)
                return
            tally = self.tallies[name] = TrafficTally(webhook=webhook, store=self._store)
        tally.add(judged, self.judge.examine)

    @property
    def judged(self) -> int:
        """How many exchanges were judged, in full or in part."""
        return self.seen.count - self.not_judged.total()

    def _leave_out(self, reason: NotJudged, recorded: RecordedExchange) -> None:
        self.not_judged[reason] += 1
        if reason is NotJudged.FAILED and len(self.failed) < _MOST_FAILED:
            self.failed.append(recorded.id)


_MOST_FAILED: Final = 20
