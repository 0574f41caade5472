"""What does the user see while a whole cluster is tried?"""

import click

from webhook_fuzz.fuzzer.cli.progress import SweepProgress
from webhook_fuzz.fuzzer.staging.campaigns import CampaignEvent, ChainStarted, WebhookReached
from webhook_fuzz.fuzzer.staging.chain_tallies import ChainCaseJudged


class CampaignProgress(SweepProgress):
    """As for one webhook; and which one it is, what else is being done, how far the chain is."""

    def say(self, text: str) -> None:
        """Say what is being done now."""
        self._name, self._calls = text, 0
        if self._bar is None:
            click.echo(text, err=True)
        self._describe(text)

    def show_campaign(self, event: CampaignEvent) -> None:
        """Show one event."""
        match event:
            case WebhookReached():
                webhook, way = event.judged.webhook, event.judged.way.way
                self.say(f"{webhook.position + 1}. {webhook.identity} ({way})")
            case ChainStarted():
                self.say(f"the whole chain: {event.cases} pods, in dry runs in {event.namespace}")
            case ChainCaseJudged():
                self._calls += 1
                self._tick()
            case _:
                self.show(event)
