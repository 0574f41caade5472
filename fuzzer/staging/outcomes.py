"""What came of a campaign on a cluster?

Facts only, without the connections they were found through: reports are made of these.
"""

from dataclasses import dataclass, field

from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.matching import Matching
from webhook_fuzz.fuzzer.staging.chain_tallies import ChainTally
from webhook_fuzz.fuzzer.tallies import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class WayTaken:
    """How a webhook was reached: by which way, why by this one, and why by none of the better ones.

    Ways have the words of `transports/reaching.py`. `alone` says whether it could be called alone.
    """

    way: str
    why: str
    alone: bool
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(kw_only=True)
class Judged:
    """One webhook of the chain and what is known of it; `tally` is None when it was not called."""

    webhook: Webhook
    matching: Matching
    way: WayTaken
    tally: Tally | None = None

    @property
    def address(self) -> str:
        """Where the API server calls it."""
        service = self.webhook.service
        if service is None:
            return self.webhook.url or ""
        return f"https://{service.server_name}:{service.port}{service.path}"


@dataclass(kw_only=True)
class CampaignOutcome:
    """Everything a campaign found out.

    `namespace` is where pods were created in dry runs and `chain` what came of them; both are None
    where there were none.
    """

    catalogue: Catalogue
    judged: list[Judged] = field(default_factory=list[Judged])
    namespace: str | None = None
    chain: ChainTally | None = None
    not_seen: list[Unseen] = field(default_factory=list[Unseen])
