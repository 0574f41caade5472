"""The command line: one module a command, each thin; heavy imports wait until they are used."""

from webhook_fuzz.fuzzer.cli.commands import main

__all__ = ["main"]
