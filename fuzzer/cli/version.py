"""`webhook-fuzz version`."""

from importlib import metadata

import click

from webhook_fuzz.corpora.fields.catalogue import load_catalogue


def tool_version() -> str:
    """The version of the installed distribution."""
    return metadata.version("webhook-fuzz")


@click.command("version")
def command() -> None:
    """Show the version of webhook-fuzz and the Kubernetes versions its field catalogue knows."""
    catalogue = load_catalogue()
    click.echo(f"webhook-fuzz {tool_version()}")
    click.echo(f"field catalogue: Kubernetes {min(catalogue.sources)} to {catalogue.newest}")
