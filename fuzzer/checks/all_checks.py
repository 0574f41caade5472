"""Every check, registered: importing the families is what fills the registry."""

from webhook_fuzz.fuzzer.checks import losses, protocol, shapes
from webhook_fuzz.fuzzer.checks.registry import CHECKS, run_checks

FAMILIES = (protocol, losses, shapes)

__all__ = ["CHECKS", "FAMILIES", "run_checks"]
