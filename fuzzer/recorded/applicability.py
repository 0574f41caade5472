"""Which checks can judge recorded traffic?

Those that need nothing but one request and its answer. How much of them depends on what the request
is about: losses are told by the types of a pod, so of other kinds it is judged whether the answer
is valid and whether its patch applies.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from webhook_fuzz.fuzzer.checks.all_checks import CHECKS


class Extent(StrEnum):
    """How much of an exchange can be judged."""

    POD = "pods: by all checks that apply to traffic"
    OBJECT = "other kinds: whether the answer is valid and its patch applies"
    ANSWER = "requests without an object: whether the answer is valid"


_OF_ANSWERS = ("WF001", "WF002", "WF003", "WF004", "WF403")

APPLIED: Mapping[Extent, Sequence[str]] = MappingProxyType(
    {
        Extent.POD: tuple(CHECKS),
        Extent.OBJECT: (*_OF_ANSWERS, "WF005", "WF010"),
        Extent.ANSWER: _OF_ANSWERS,
    }
)
"""The codes of the checks that are run; where there is no object, a patch is WF005 in any case."""

NOT_APPLIED: Mapping[str, str] = MappingProxyType(
    {
        "WF007": "needs the same pod without the field: `webhook-fuzz replay --enrich`",
        "WF008": "needs the same pod without the field: `webhook-fuzz replay --enrich`",
        "WF506": "needs the whole chain: `webhook-fuzz run --context`",
        "WF6": "is about webhook configurations: `webhook-fuzz lint`",
        "WF7": "is about the cluster: `webhook-fuzz doctor`",
    }
)
"""The other codes, or what they begin with, and why they cannot be found in traffic."""
