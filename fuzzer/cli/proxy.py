"""`webhook-fuzz proxy`."""

import importlib
import importlib.util
import os
from dataclasses import fields
from typing import Final

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.proxy_interception import (
    InterceptionArguments,
    interception_options,
)
from webhook_fuzz.fuzzer.cli.proxy_options import (
    SECTIONS,
    FindingOptions,
    KeepingOptions,
    ListeningOptions,
    RunningOptions,
    UpstreamOptions,
    proxy_options,
)

_EXTRA: Final = ("httptools", "prometheus_client", "zstandard")
_SUBCOMMANDS: Final = {
    "install": "Run the proxy inside a cluster.",
    "uninstall": "Put everything back, and remove it from the cluster.",
}
_SECTIONS: Final = {
    "The webhook, without a cluster": SECTIONS["The webhook, without a cluster"],
    "The webhooks of a cluster, until the proxy is stopped": InterceptionArguments,
    **SECTIONS,
}
_EPILOG: Final = """\b
Examples:
  Before a webhook you can start yourself; then point its configuration at the proxy:
    webhook-fuzz proxy --upstream https://127.0.0.1:9443 --upstream-ca ca.crt --recording rec
  Before a webhook with the name of its service, judged while calls pass:
    webhook-fuzz proxy --upstream https://10.0.0.7:9443 --upstream-server-name web.shop.svc \\
        --upstream-ca ca.crt --listen :8443 --tls-name proxy.shop.svc --recording rec --judge
  Webhooks of a cluster, put back when the proxy is stopped; first only to see the patches:
    webhook-fuzz proxy --context staging --webhook injector/inject.example.com \\
        --advertise https://10.0.0.5:8443 --listen :8443 --dry-run
    webhook-fuzz proxy --context staging --webhook injector/inject.example.com \\
        --advertise https://10.0.0.5:8443 --listen :8443 --recording rec
  Read what was recorded, and send it to another version of the webhook:
    webhook-fuzz recording ls rec
    webhook-fuzz replay rec --url https://127.0.0.1:9444/mutate --output out

\b
Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 usage or input error, 3 could not run, or not to
the end.
"""


class _ProxyGroup(click.Group):
    """The proxy's own options in sections, and subcommands that are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SUBCOMMANDS:
            return None
        module = importlib.import_module("webhook_fuzz.fuzzer.cli.proxy_deployment")
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options by what they are about, then the subcommands."""
        left = {each.name: each.get_help_record(ctx) for each in self.get_params(ctx)}
        for title, kind in _SECTIONS.items():
            names = [each.name for each in fields(kind)]
            records = [record for name in names if (record := left.pop(name, None))]
            with formatter.section(title):
                formatter.write_dl(records)
        with formatter.section("Others"):
            formatter.write_dl([record for record in left.values() if record])
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUBCOMMANDS.items()))


@click.group("proxy", cls=_ProxyGroup, invoke_without_command=True, epilog=_EPILOG)
@proxy_options
@interception_options
@click.pass_context
def command(  # noqa: PLR0913 - one argument a group of options
    context: click.Context,
    *,
    upstream: UpstreamOptions,
    interception: InterceptionArguments,
    listening: ListeningOptions,
    keeping: KeepingOptions,
    finding: FindingOptions,
    running: RunningOptions,
) -> Exit | None:
    """Stand between the API server and webhooks, pass everything on, and record it.

    Calls and answers pass unchanged, byte for byte. What is recorded has no secrets in it, unless
    --record-raw is given, and can be judged (`webhook-fuzz check`) and sent again (`webhook-fuzz
    replay`). When recording or judging fails, calls pass all the same.
    """
    if context.invoked_subcommand is not None:
        return None
    _require_extra()
    from webhook_fuzz.fuzzer.cli.proxy_plans import Asked  # noqa: PLC0415 - slow to import
    from webhook_fuzz.fuzzer.cli.proxy_runs import run  # noqa: PLC0415 - as above

    asked = Asked(
        upstream=upstream,
        interception=interception,
        listening=listening,
        keeping=keeping,
        finding=finding,
        running=running,
    )
    asked.check()
    return run(asked)


def _require_extra() -> None:
    """Raises InputError where what the proxy needs is not there."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"the proxy needs {', '.join(missing)}, which is not installed",
            hint="Install it with: pip install 'webhook-fuzz[proxy]'",
        )
    if os.name != "posix":
        raise InputError(
            "the proxy needs Unix sockets and signals", hint="Run it on Linux or macOS, or in WSL."
        )
