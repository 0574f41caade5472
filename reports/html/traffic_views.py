"""What of the recorded traffic stands beside each verdict?"""

from collections.abc import Sequence

from webhook_fuzz.reports.html.views import Card
from webhook_fuzz.reports.overviews import full_name
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.traffic_results import TrafficWebhook


def build_traffic(
    run: RunResult, cards: Sequence[Card]
) -> tuple[tuple[Card, TrafficWebhook | None], ...]:
    """The cards, each with what of the traffic was its webhook's; empty for a run without any."""
    traffic = run.get("traffic")
    if traffic is None:
        return ()
    by_name = {webhook["webhook"]: webhook for webhook in traffic["webhooks"]}
    return tuple((card, _find(card, by_name)) for card in cards)


def _find(card: Card, by_name: dict[str, TrafficWebhook]) -> TrafficWebhook | None:
    names = (card.webhook["name"], full_name(card.webhook))
    return next((by_name[name] for name in names if name in by_name), None)
