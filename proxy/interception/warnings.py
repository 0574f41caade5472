"""What should a person know before webhooks are called through the proxy?

And how is it undone with nothing but kubectl, when neither the proxy nor this program is there.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from webhook_fuzz.corpora.cluster_api.ownership import read_ownership
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.members import list_at
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.proxy.interception.marks import ANNOTATION

_JQ: Final = (
    f'[(.metadata.annotations // {{}}) | to_entries[] | select(.key | startswith("{ANNOTATION}")) '
    "| .value | fromjson] as $ours "
    "| reduce $ours[] as $o (.; (.webhooks[] | select(.name == $o.webhook and "
    ".clientConfig == $o.ours) | .clientConfig) = $o.original) "
    f'| .metadata.annotations |= with_entries(select(.key | startswith("{ANNOTATION}") | not))'
)


def undo_lines(configurations: Sequence[str]) -> tuple[str, ...]:
    """Shell lines that put the configurations back, out of the annotations they carry."""
    get = "kubectl get mutatingwebhookconfiguration"
    return tuple(
        f"{get} {name} -o json | jq '{_JQ}' | kubectl replace -f -" for name in configurations
    )


def warn(webhooks: Sequence[Webhook]) -> Iterator[str]:
    """One sentence a fact, the gravest first."""
    failing = [each for each in webhooks if each.failure_policy == "Fail"]
    if failing:
        names = ", ".join(f"{each.identity} ({_refused(each)})" for each in failing)
        yield (
            "should the proxy die, the API server refuses what these webhooks are called for "
            f"until they are restored (failurePolicy Fail): {names}"
        )
    ignoring = [each for each in webhooks if each.failure_policy == "Ignore"]
    if ignoring:
        names = ", ".join(each.identity for each in ignoring)
        yield f"should the proxy die, these webhooks are passed over without a word: {names}"
    for each in webhooks:
        owner = read_ownership(each.metadata)
        if owner.bundle_injection:
            yield (
                f"{each.identity}: {owner.bundle_injection} has a controller write its caBundle; "
                "when it does, the webhook is given back and not recorded any more"
            )
    kept = sorted({each.configuration: _keeper(each) for each in webhooks}.items())
    for configuration, owner_name in kept:
        if owner_name:
            yield f"{configuration}: {owner_name} may write it back; that is reported, not fought"


def _keeper(webhook: Webhook) -> str:
    """Who keeps it as it should be: not who only labelled it."""
    owner = read_ownership(webhook.metadata)
    applied = next((each.name for each in owner.managers if each.operation == "Apply"), "")
    return (owner.references[0] if owner.references else "") or (owner.olm_owner or "") or applied


def _refused(webhook: Webhook) -> str:
    """`CREATE pods, UPDATE pods`."""
    found: list[str] = []
    for rule in webhook.rules:
        operations = "/".join(_texts(list_at(rule, "operations")))
        found.append(f"{operations} {', '.join(_texts(list_at(rule, 'resources')))}")
    return "; ".join(found) or "nothing: it has no rules"


def _texts(values: Sequence[JsonValue]) -> list[str]:
    return [str(each) for each in values]
