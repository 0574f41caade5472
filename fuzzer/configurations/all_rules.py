"""Every rule, registered: importing the families is what fills the registry."""

from webhook_fuzz.fuzzer.configurations import backends, bundles, owners, policies, scopes
from webhook_fuzz.fuzzer.configurations.registry import RULES, Rule

FAMILIES = (policies, scopes, bundles, backends, owners)

ALL_RULES: dict[str, Rule] = dict(sorted(RULES.items()))
"""Every rule by its code, in the order of the codes."""

__all__ = ["ALL_RULES", "FAMILIES"]
