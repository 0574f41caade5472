"""What is known of the chain as a whole, once all pods have been through it?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.denials import Denial
from webhook_fuzz.fuzzer.chains.attributions import Attribution, Taker, chain_findings
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.generation.cases import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCaseJudged:
    """One pod's way through the chain.

    `sent` is the pod without `unknown_fields`, the catalogue paths the API server does not know;
    `stored` is what became of it, None when it was refused.
    `denial` is why it was refused, None when it was accepted; `invalid_fields` are catalogue paths
    the API server refused before this attempt, with its words: their probes are not on the pod.
    """

    case: Case
    sent: JsonObject
    stored: JsonObject | None = None
    unknown_fields: tuple[str, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    denial: Denial | None = None
    invalid_fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class ChainTally:
    """Folds the events of a chain sweep.

    `losses` has one entry for a field and the hop that took it, the first that was seen;
    `refused` counts pods by who refused them and why, `hindered` those that no webhook can have
    had to do with (PodSecurity, quotas, policies); `not_admitted` are catalogue paths the API
    server itself does not keep, with the reason.
    """

    sent: int = 0
    accepted: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    losses: dict[tuple[str, str | None], Attribution] = field(
        default_factory=dict[tuple[str, str | None], Attribution]
    )
    not_admitted: dict[str, str] = field(default_factory=dict[str, str])
    tried: set[str] = field(default_factory=set[str])
    hindered: Counter[str] = field(default_factory=Counter[str])

    def add(self, event: ChainCaseJudged) -> None:
        """Take one event in."""
        self.sent += 1
        for path in event.unknown_fields:
            self.not_admitted.setdefault(path, "The API server does not know it.")
        for path, reason in event.invalid_fields.items():
            self.not_admitted.setdefault(path, reason)
        if event.denial is None:
            self.accepted += 1
            self.tried |= event.case.fields
        else:
            by = event.denial.refuser.value
            named = f"{by} {event.denial.name}" if event.denial.name else by
            self.refused[named, event.denial.said] += 1
            if event.denial.by_surroundings:
                self.hindered[named] += 1
        for found in event.attributions:
            self._add_loss(found)

    def _add_loss(self, found: Attribution) -> None:
        if found.taker is Taker.GATE:
            self.not_admitted.setdefault(found.loss.field, found.sentence)
        else:
            self.losses.setdefault((found.loss.field, found.hop), found)

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The losses, settled ones only where the same field was settled elsewhere."""
        settled = {field for field, hop in self.losses if hop is not None}
        return tuple(
            found
            for (field_path, hop), found in self.losses.items()
            if hop is not None or field_path not in settled
        )

    @property
    def findings(self) -> tuple[ClusterFinding, ...]:
        """WF506, one for a field and hop."""
        return chain_findings(self.attributions)

    @property
    def gaps(self) -> tuple[Unseen, ...]:
        """What is not known of the chain because pods did not get through it."""
        if self.hindered:
            count, who = sum(self.hindered.values()), ", ".join(sorted(self.hindered))
            return (
                Unseen(
                    what=f"what the chain does to {count} of {self.sent} pods",
                    why=f"refused in the namespace by {who}",
                    trouble=Trouble.REFUSED,
                ),
            )
        if self.sent and not self.accepted and not self.losses:
            who = ", ".join(sorted({by for by, _ in self.refused}))
            why = f"every pod was refused: {who}"
            return (Unseen(what="what the chain does", why=why, trouble=Trouble.REFUSED),)
        return ()

    def lost_by(self, identity: str) -> frozenset[str]:
        """The catalogue paths a webhook (`CONFIG/NAME`) was seen to lose."""
        return frozenset(field_path for field_path, hop in self.losses if hop == identity)
