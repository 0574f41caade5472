"""What is to be examined?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.cluster.api_servers import Direct
from webhook_fuzz.fuzzer.examining.suspecting import Attribution
from webhook_fuzz.fuzzer.readiness.probe_pods import ProbePod


def _say_nothing(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminationOptions:
    """What is examined, and how.

    `namespace` is where the probe pod is tried, `probe` one to try instead of the shipped one.
    `ask_kubelets` is off where nodes/proxy is not to
    be used. `direct` opens a replica of the API server, `attribution` says who may have taken a
    field. `progress` is told what is being done.
    """

    gate: Gate
    namespace: str = "default"
    probe: ProbePod | None = None
    ask_kubelets: bool = True
    concurrency: int = 16
    direct: Direct | None = None
    attribution: Attribution | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    progress: Callable[[str], None] = _say_nothing
