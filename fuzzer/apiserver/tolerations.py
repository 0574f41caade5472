"""Which tolerations does another one make needless?

Where in-tree plugins merge tolerations (RuntimeClass, PodTolerationRestriction), those covered by
another one are left out of the pod, so that one that is gone may be no loss.
"""

from webhook_fuzz.corpora.json_values import JsonObject


def covers(wide: JsonObject, narrow: JsonObject) -> bool:
    """Whether whatever `narrow` tolerates, and for as long, `wide` tolerates too.

    Source: k8s.io/kubernetes pkg/util/tolerations/tolerations.go isSuperset.
    """
    if wide == narrow:
        return True
    exists = wide.get("operator") == "Exists"
    if not _same(wide, narrow, "key") and (wide.get("key") or not exists):
        return False
    if not _same(wide, narrow, "effect") and wide.get("effect"):
        return False
    if wide.get("effect") == "NoExecute" and not _lasts_as_long(wide, narrow):
        return False
    if exists:
        return True
    is_equal = wide.get("operator") in (None, "", "Equal")
    return is_equal and narrow.get("operator") == "Equal" and _same(wide, narrow, "value")


def _same(wide: JsonObject, narrow: JsonObject, name: str) -> bool:
    return (wide.get(name) or "") == (narrow.get(name) or "")


def _lasts_as_long(wide: JsonObject, narrow: JsonObject) -> bool:
    """Without tolerationSeconds, for ever."""
    most, wanted = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    return not isinstance(most, int) or (isinstance(wanted, int) and wanted <= most)
