"""Which commands are there?

Commands are imported when they are run: `webhook-fuzz --help` must not wait for aiohttp.
"""

import importlib
import os
import sys
import traceback

import click

from webhook_fuzz.corpora.errors import IncompleteRunError, WebhookFuzzError
from webhook_fuzz.fuzzer.cli.exits import Exit

# Command -> (module below this package, one line for --help).
_COMMANDS = {
    "run": ("run", "Sweep webhooks and report which pod fields they break."),
    "demo": ("demo", "Sweep webhooks with known faults, without a cluster."),
    "doctor": ("doctor", "Find out whether a cluster can run native sidecars or another feature."),
    "lint": ("lint", "Check webhook configurations, on a cluster or in manifests."),
    "webhooks": ("webhooks", "List a cluster's webhooks in the order they are called."),
    "blame": ("blame", "Show who set each field of a pod, and who took what is missing."),
    "rbac": ("rbac", "Print the least roles webhook-fuzz needs, or what of them is missing."),
    "fields": ("fields", "List the pod fields by Kubernetes version and feature gate."),
    "explain": ("explain", "Explain a finding: what happens, why, how to fix it."),
    "proxy": ("proxy", "Record what passes between the API server and webhooks."),
    "restore": ("restore", "Put webhooks back that lead to a proxy which is gone."),
    "recording": ("recording", "Look into recordings, check, merge and redact them."),
    "check": ("check", "Judge recorded traffic; nothing is sent."),
    "replay": ("replay", "Send recorded reviews to a webhook again, also with new fields."),
    "report": ("report", "Render a run.json as HTML, JUnit, SARIF or Markdown."),
    "version": ("version", "Show the version of webhook-fuzz and of its field catalogue."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"webhook_fuzz.fuzzer.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


_EPILOG = """\b
Examples:
  webhook-fuzz demo
  webhook-fuzz run --url https://127.0.0.1:8443/mutate --ca ca.crt --output out
  webhook-fuzz run --url https://127.0.0.1:8443/mutate --ca ca.crt --trigger vault
  webhook-fuzz run --context staging --output out
  webhook-fuzz doctor --context staging
  webhook-fuzz explain WF104
  webhook-fuzz fields --since 1.34

\b
Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage or input error,
3 could not run completely (unreachable, or not exercised where that is required).
"""


@click.group(
    cls=_LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Find the mutating admission webhooks that lose pod fields they do not know.

    A webhook that decodes a pod into types older than the cluster's API, and marshals it back,
    loses every field those types lack. webhook-fuzz sends pods with such fields to the webhook,
    judges each answer as the API server would apply it, and names the field, the cause and the
    remedy.
    """
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line; errors raised on purpose become two lines and an exit code."""
    debug = "--debug" in sys.argv[1:2]
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(Exit.INTERRUPTED)
    except WebhookFuzzError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"webhook-fuzz: {error.message}\n  {error.hint}", err=True)
        sys.exit(Exit.INCOMPLETE if isinstance(error, IncompleteRunError) else Exit.USAGE)
    except BrokenPipeError:
        # Whoever read the output (head, less) has left; Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.CLEAN)
    sys.exit(code if isinstance(code, int) else Exit.CLEAN)
