"""Which webhooks does kube-apiserver call a second time?

Those with reinvocationPolicy IfNeeded that a later change may concern: a webhook is queued when
anything after it changed the pod, its own change does not count. The second round is the only one;
a change in it still queues those whose turn has not come yet.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/reinvocationcontext.go and
dispatcher.go Dispatch; pkg/admission/reinvocation.go.
"""

from dataclasses import dataclass, field

from webhook_fuzz.corpora.webhooks import Webhook


@dataclass(slots=True, kw_only=True)
class Reinvocations:
    """What the server remembers of a request; webhooks are known by their position in the chain."""

    round: int = 0
    needed: bool = False
    """Whether the chain is run again."""
    _eligible: set[int] = field(default_factory=set[int])
    _queued: set[int] = field(default_factory=set[int])

    def is_due(self, webhook: Webhook) -> bool:
        """Whether a webhook that matches is called in this round."""
        return self.round == 0 or webhook.position in self._queued

    def note(self, webhook: Webhook, *, changed: bool) -> None:
        """A webhook was called, whatever it answered."""
        if changed:
            self._queued |= self._eligible
            self._eligible.clear()
            self.needed = True
        if webhook.reinvocation_policy == "IfNeeded":
            self._eligible.add(webhook.position)

    def start_again(self) -> None:
        """Begin the second round."""
        self.round = 1

    @property
    def undecided(self) -> frozenset[int]:
        """The positions queued as well if an in-tree plugin changes the pod between the rounds."""
        return frozenset(self._eligible)
