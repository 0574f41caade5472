"""With which labels would a namespace be left alone by a webhook?

A webhook behind the proxy that is called for the proxy's own pods can lock it out: no proxy, no
webhook; no webhook, no pod; no pod, no proxy. Most webhooks can be told by a label of the namespace
to stay away. What is proposed here is tried out by the API server's own rules before it is used.
"""

from collections.abc import Iterator, Mapping

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, objects_at, text_at


def propose_labels(selector: JsonObject, present: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Labels one of which may keep a namespaceSelector from selecting a namespace.

    First none at all, then one for each requirement of the selector that a label can break.
    `present` are labels the namespace has anyway, which cannot be changed.
    Source: k8s.io/apimachinery pkg/labels/selector.go (Requirement.Matches).
    """
    yield {}
    for key in object_at(selector, "matchLabels"):
        # Not to have the label at all is what `{}` stands for.
        if key not in present:
            yield {key: "webhook-fuzz"}
    for expression in objects_at(selector, "matchExpressions"):
        key, values = text_at(expression, "key"), list_at(expression, "values")
        if key in present:
            continue
        match text_at(expression, "operator"):
            case "DoesNotExist":
                yield {key: "webhook-fuzz"}
            case "NotIn":
                yield from ({key: str(value)} for value in values)
            case _:
                pass
