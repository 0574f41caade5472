"""`webhook-fuzz explain CODE`."""

import difflib

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.findings import load_codes


@click.command("explain")
@click.argument("code", required=False)
@click.option("--plain", is_flag=True, help="Print the Markdown as it is.")
def command(code: str | None, *, plain: bool) -> None:
    """Explain a finding such as WF104: what happens, why, how to fix it, what is not a fix.

    Without a CODE, list all of them.
    """
    codes = load_codes()
    if code is None:
        for entry in codes.values():
            click.echo(f"{entry.code}  {entry.severity:<8}  {entry.name:<29}  {entry.title}")
        return
    wanted = code.upper()
    if wanted not in codes:
        names = {entry.name: entry.code for entry in codes.values()}
        near = names.get(code.lower()) or next(
            iter(difflib.get_close_matches(wanted, codes, 1)), "WF101"
        )
        raise InputError(
            f"there is no finding {code!r}",
            hint=f"Did you mean {near}? `webhook-fuzz explain` lists all codes.",
        )
    _print(codes[wanted].page, plain=plain)


def _print(page: str, *, plain: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - takes longer than listing the codes
    from rich.markdown import Markdown  # noqa: PLC0415

    console = Console(width=None)
    if plain or not console.is_terminal:
        click.echo(page, nl=False)
    else:
        console.width = min(console.width, 100)
        console.print(Markdown(page))
