"""What did a proxy leave behind in the cluster that this command is opening?

A proxy that was killed leaves webhooks that lead nowhere. Whoever comes by next puts them back,
where they may, and says so in a line on stderr; the command itself is about something else.
"""

from datetime import UTC, datetime
from typing import Final

import click

from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.interception.options import default_backup_folder
from webhook_fuzz.proxy.interception.restoring import (
    Places,
    Result,
    Selection,
    describe_outcome,
    restore,
)

_LOOKED_ONLY: Final = "GET"


async def restore_left_behind(api: ClusterApi, server: str) -> None:
    """Restore what nobody uses any more. Raises nothing."""
    places = Places(folder=default_backup_folder(), server=server)
    selection = Selection(expired=True)
    try:
        outcomes = await restore(api, selection, now=datetime.now(UTC), places=places)
    except (ClusterError, InputError) as error:
        # Who may not even list them learns nothing from being told about it here.
        if not error.message.startswith(_LOOKED_ONLY):
            _say(f"webhooks still lead to a proxy that is gone ({error.message})")
        return
    for outcome in outcomes:
        if outcome.result is Result.DAMAGED:
            _say(f"{describe_outcome(outcome)}")
        else:
            click.echo(f"a proxy is gone: {describe_outcome(outcome)}", err=True)


def _say(what: str) -> None:
    click.echo(f"{what}: run `webhook-fuzz restore`", err=True)
