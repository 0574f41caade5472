"""Which webhooks are meant, and which cannot be intercepted?

Everything is refused here, before anything is written: names that do not exist, what another
living process intercepts, and what the API server calls in a way a proxy cannot.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook, list_webhooks
from webhook_fuzz.proxy.interception.marks import DamagedMark, Mark, is_ours, read_marks
from webhook_fuzz.proxy.interception.options import InterceptionOptions, Target
from webhook_fuzz.proxy.interception.patches import index_of

_NEAREST: Final = 3
# Called with the API server's own credentials: k8s.io/apiserver pkg/util/webhook/authentication.go.
_ITSELF: Final = ("default", "kubernetes")
_ITS_NAME: Final = "kubernetes.default.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A webhook that is going to be intercepted; its entry has the original clientConfig.

    `taken_over` is the mark that is there already: of somebody who is gone, or of this very target.
    """

    webhook: Webhook
    taken_over: Mark | None = None

    @property
    def original(self) -> JsonObject:
        """The clientConfig that is to come back."""
        return object_at(self.webhook.entry, "clientConfig")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """All webhooks that are meant, and their configurations as they were read, by name."""

    chosen: tuple[Chosen, ...]
    configurations: Mapping[str, JsonObject] = field(repr=False)


def choose(
    configurations: Sequence[JsonObject], options: InterceptionOptions, *, now: datetime
) -> Choice:
    """The webhooks the options name. Raises InputError, with what to do."""
    by_name = {text_at(object_at(each, "metadata"), "name"): each for each in configurations}
    webhooks = list_webhooks(configurations)
    wanted = _named(webhooks, options)
    for webhook in wanted:
        if index_of(by_name[webhook.configuration], webhook.name) is None:
            raise InputError(
                f"{webhook.identity}: its configuration has two webhooks of this name",
                hint="Names must be unique (admissionregistration.k8s.io/v1): rename one of them.",
            )
    chosen = tuple(
        _check(webhook, by_name[webhook.configuration], options, now=now) for webhook in wanted
    )
    names = {each.webhook.configuration for each in chosen}
    return Choice(chosen=chosen, configurations={name: by_name[name] for name in sorted(names)})


def _named(webhooks: Sequence[Webhook], options: InterceptionOptions) -> list[Webhook]:
    if options.all == bool(options.webhooks):
        raise InputError(
            "it is not said which webhooks are meant",
            hint="Give --webhook CONFIG/NAME, once or more, or --all.",
        )
    if not webhooks:
        raise InputError(
            "the cluster has no mutating webhooks",
            hint="Webhooks from static manifests are not in the API, and cannot be intercepted.",
        )
    if options.all:
        return [each for each in webhooks if not _is_the_api_server(each)]
    known = {each.identity: each for each in webhooks}
    for name in options.webhooks:
        if name not in known:
            raise _unknown(name, [*known])
    wanted = set(options.webhooks)
    return [each for each in webhooks if each.identity in wanted]


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(name, known, n=_NEAREST, cutoff=0.4)
    static = name.endswith(".static.k8s.io")
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
    if static:
        hint = "It is from a file of the API server, and nothing in the API changes it."
    return InputError(f"there is no webhook {name}", hint=hint)


def _check(
    webhook: Webhook, configuration: JsonObject, options: InterceptionOptions, *, now: datetime
) -> Chosen:
    if _is_the_api_server(webhook):
        raise InputError(
            f"{webhook.identity}: is the API server itself, called with its own credentials",
            hint="No proxy can stand in for it: leave it out.",
        )
    mark = next(_marks_of(webhook, configuration), None)
    if isinstance(mark, DamagedMark):
        raise InputError(
            f"{webhook.identity}: is intercepted, and the annotation {mark.key} is damaged "
            f"({mark.why})",
            hint="`webhook-fuzz restore --backup FILE` puts it back from the file of that time.",
        )
    if mark is None:
        _refuse_itself(webhook, options.target)
        return Chosen(webhook=webhook)
    same = _leads_to(mark.ours, options.target) and not mark.lease.owner
    if not same and not mark.lease.has_ended(now=now):
        until = mark.lease.expires.isoformat(timespec="seconds")
        raise InputError(
            f"{webhook.identity}: is intercepted already, until {until}, by {_owner(mark)}",
            hint="Stop that one first, or end its interception: `webhook-fuzz restore --force`.",
        )
    current = object_at(webhook.entry, "clientConfig")
    if not is_ours(current, mark):  # somebody took it back: what it is now is the original
        return Chosen(webhook=webhook, taken_over=mark)
    entry: JsonObject = {**webhook.entry, "clientConfig": mark.original}
    return Chosen(webhook=replace(webhook, entry=entry), taken_over=mark)


def _marks_of(webhook: Webhook, configuration: JsonObject) -> Iterator[Mark | DamagedMark]:
    key = Mark.key_of(webhook.configuration, webhook.name)
    return (mark for _, mark in read_marks(configuration) if mark.key == key)


def _owner(mark: Mark) -> str:
    return f"the process {mark.lease.owner}" if mark.lease.owner else "nobody in particular"


def _refuse_itself(webhook: Webhook, target: Target) -> None:
    if _leads_to(object_at(webhook.entry, "clientConfig"), target):
        raise InputError(
            f"{webhook.identity}: already leads to {target}, and nothing says what it was before",
            hint="Put back its clientConfig from a backup (`webhook-fuzz restore --backup FILE`), "
            "or from what installs it.",
        )


def _leads_to(config: JsonObject, target: Target) -> bool:
    if target.service is None:
        return (text_at(config, "url") + "/").startswith(f"{target.url}/")
    service = object_at(config, "service")
    found = (service.get("namespace"), service.get("name"))
    return found == (target.service.namespace, target.service.name)


def _is_the_api_server(webhook: Webhook) -> bool:
    service: ServiceReference | None = webhook.service
    if service is not None:
        return (service.namespace, service.name) == _ITSELF
    return urlsplit(webhook.url or "").hostname == _ITS_NAME
