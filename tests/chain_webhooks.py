"""Webhooks of a chain as tests need them: registered entries, and callers without a network."""

import base64
from collections.abc import Mapping
from typing import TypeAlias

from fakes import IDENTITY, outcome_of
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.programs import Program
from webhook_fuzz.fuzzer.specimens.replies import build_response, reply
from webhook_fuzz.fuzzer.transports import Uncalled

PODS: JsonObject = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["pods"],
}


def entry(name: str, **others: JsonValue) -> JsonObject:
    """A webhook of a configuration, for created pods."""
    return {
        "name": name,
        "clientConfig": {"url": f"https://{name}/mutate"},
        "rules": [PODS],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        **others,
    }


def configuration(name: str, *webhooks: JsonObject) -> JsonObject:
    """A MutatingWebhookConfiguration."""
    return {"metadata": {"name": name}, "webhooks": [*webhooks]}


def chain(*webhooks: JsonObject) -> list[Webhook]:
    """The webhooks of one configuration called `chain`, in their order."""
    return list_webhooks([configuration("chain", *webhooks)])


def bundle(pem: bytes) -> str:
    """A caBundle."""
    return base64.b64encode(pem).decode()


Reaction: TypeAlias = Program | Outcome | Uncalled


def specimen(name: str) -> Program:
    """The program of a specimen."""
    return get_specimen(name).program


class FakeCaller:
    """Calls programs instead of webhooks, by name, and remembers who was called in which order."""

    def __init__(self, reactions: Mapping[str, Reaction]) -> None:
        self.called: list[str] = []
        self.reviews: list[JsonObject] = []
        self._reactions = reactions

    async def call(self, webhook: Webhook, review: JsonObject) -> Exchange | Uncalled:
        """The exchange the webhook's reaction makes."""
        reaction = self._reactions[webhook.name]
        self.called.append(webhook.name)
        self.reviews.append(review)
        if isinstance(reaction, Uncalled):
            return reaction
        if not isinstance(reaction, Answered | CallFailure):
            reaction = outcome_of(reaction(review))
        return Exchange(webhook=IDENTITY, review=review, outcome=reaction, seconds=0.001)


def patching(*operations: JsonObject) -> Program:
    """A program that always answers with the same patch; without operations with none."""
    return lambda review: reply(build_response(review, [*operations]))


def labelling(key: str) -> Program:
    """A program that adds a label to the metadata's labels, which must be there."""
    return patching({"op": "add", "path": f"/metadata/labels/{key}", "value": "yes"})
