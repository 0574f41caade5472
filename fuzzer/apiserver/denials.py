"""Who refused a pod: a webhook, and which, or something around it?

The API server answers a refused create with a Status object. Only its message says who it was, and
the messages have a fixed form: what is in-tree begins with `pods "p" is forbidden:`, what comes
from a webhook begins with the webhook's name, whatever the webhook itself wrote behind it. A
refusal by PodSecurity, a quota or a LimitRange must never be taken for the doing of a webhook.

Sources, all of k8s.io unless another is named:
- webhook: apiserver pkg/admission/plugin/webhook/errors/statuserror.go ToStatusErr,
  NewDryRunUnsupportedErr; apiserver pkg/util/webhook/error.go ErrCallingWebhook.Error; a patch's
  errors: evanphx/json-patch patch.go, apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go
- matchConditions: apiserver pkg/admission/plugin/webhook/generic/webhook.go ShouldCallHook
- "is forbidden", "is invalid", "not found": apimachinery pkg/api/errors/errors.go NewForbidden,
  NewInvalid, NewNotFound; RBAC: apiserver pkg/endpoints/handlers/responsewriters/errors.go
- PodSecurity: pod-security-admission admission/admission.go EvaluatePod
- quota: apiserver pkg/admission/plugin/resourcequota/controller.go CheckRequest
- LimitRange: kubernetes plugin/pkg/admission/limitranger/admission.go minConstraint, maxConstraint,
  limitRequestRatioConstraint
- policies: apiserver pkg/admission/plugin/policy/validating/dispatcher.go Dispatch, and
  policy/generic/policy_dispatcher.go PolicyError.Error
- decoding: apiserver pkg/endpoints/handlers/rest.go transformDecodeError; strict: apimachinery
  pkg/runtime/error.go strictDecodingError
- namespace: apiserver pkg/admission/plugin/namespace/lifecycle/admission.go Admit
- service account: kubernetes plugin/pkg/admission/serviceaccount/admission.go Admit
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue


class Refuser(StrEnum):
    """Who or what refused.

    WEBHOOK denied by name (mutating or validating: the API server says it alike), WEBHOOK_CALL
    could not be called, WEBHOOK_DRY_RUN has side effects. WEBHOOK_ANSWER: a patch that does not
    apply, or whose pod does not decode; the API server does not say whose. MATCH_CONDITION: that
    of a webhook with failurePolicy Fail, not named either.
    """

    WEBHOOK = "webhook"
    WEBHOOK_CALL = "webhook-call"
    WEBHOOK_DRY_RUN = "webhook-dry-run"
    WEBHOOK_ANSWER = "webhook-answer"
    MATCH_CONDITION = "match-condition"
    POD_SECURITY = "pod-security"
    QUOTA = "quota"
    LIMIT_RANGE = "limit-range"
    SERVICE_ACCOUNT = "service-account"
    POLICY = "admission-policy"
    PLUGIN = "admission-plugin"
    VALIDATION = "validation"
    STRICT_DECODING = "strict-decoding"
    DECODING = "decoding"
    PERMISSION = "permission"
    NAMESPACE = "namespace"
    EXISTS = "already-exists"
    TIMEOUT = "timeout"
    OTHER = "other"


_OF_WEBHOOKS: Final = frozenset(
    {
        Refuser.WEBHOOK,
        Refuser.WEBHOOK_CALL,
        Refuser.WEBHOOK_DRY_RUN,
        Refuser.WEBHOOK_ANSWER,
        Refuser.MATCH_CONDITION,
    }
)
_OF_SURROUNDINGS: Final = frozenset(
    {
        Refuser.POD_SECURITY,
        Refuser.QUOTA,
        Refuser.LIMIT_RANGE,
        Refuser.SERVICE_ACCOUNT,
        Refuser.POLICY,
        Refuser.PLUGIN,
        Refuser.PERMISSION,
        Refuser.NAMESPACE,
        Refuser.EXISTS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCause:
    """One field that was refused, in the API server's spelling (`spec.containers[0].image`)."""

    field: str
    message: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A refusal. `said` is the message without what names the pod and the refuser.

    `name` is the webhook's, the quota's, the policy's or the namespace's, empty where none is
    said. `fields` are those the refusal names: invalid ones, or those the API server does not know.
    """

    refuser: Refuser
    said: str
    name: str = ""
    fields: tuple[FieldCause, ...] = ()

    @property
    def webhook(self) -> str:
        """The name of the webhook, without its configuration; empty where none is named."""
        named = {Refuser.WEBHOOK, Refuser.WEBHOOK_CALL, Refuser.WEBHOOK_DRY_RUN}
        return self.name if self.refuser in named else ""

    @property
    def by_a_webhook(self) -> bool:
        """Whether some webhook, its answer or its configuration refused, named or not."""
        return self.refuser in _OF_WEBHOOKS

    @property
    def by_surroundings(self) -> bool:
        """Whether the namespace, a plugin or a permission refused: no webhook is to blame.

        Neither this nor `by_a_webhook` holds for an invalid pod: it may have been sent so, or
        have become so on its way.
        """
        return self.refuser in _OF_SURROUNDINGS


def read_denial(status: JsonObject) -> Denial:
    """The refusal in a Status object, as the body of an answer holds it."""
    message, reason, code = (status.get(member) for member in ("message", "reason", "code"))
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return classify_denial(
        message if isinstance(message, str) else "",
        reason if isinstance(reason, str) else "",
        code if isinstance(code, int) else 0,
        causes if isinstance(causes, list) else (),
    )


def classify_denial(
    message: str, reason: str = "", code: int = 0, causes: Sequence[JsonValue] = ()
) -> Denial:
    """Who refused, by the Status's `message`, `reason`, `code` and `details.causes`."""
    for refuser, pattern in _FORMS:
        if found := pattern.match(message):
            return _denial(refuser, found, causes)
    return Denial(
        refuser=_BY_REASON.get(reason) or _BY_CODE.get(code, Refuser.OTHER),
        said=message,
        fields=tuple(_fields(causes)),
    )


def unknown_fields(text: str) -> tuple[str, ...]:
    """The fields of `unknown field "spec.x"`, as Strict refuses and Warn warns of them."""
    return tuple(dict.fromkeys(found[2] for found in _UNKNOWN.finditer(text) if found[1] != "dup"))


def _denial(refuser: Refuser, found: re.Match[str], causes: Sequence[JsonValue]) -> Denial:
    said = found["said"] or found[0]
    fields = tuple(_fields(causes))
    if refuser is Refuser.STRICT_DECODING:
        fields = tuple(_strict_fields(said))
    return Denial(
        refuser=refuser,
        said=said.strip(),
        name=found.groupdict().get("name") or "",
        fields=fields if refuser in _WITH_FIELDS else (),
    )


def _fields(causes: Sequence[JsonValue]) -> Iterator[FieldCause]:
    for cause in causes:
        if isinstance(cause, dict) and isinstance(field := cause.get("field"), str):
            yield FieldCause(
                field=field,
                message=str(cause.get("message") or ""),
                reason=str(cause.get("reason") or ""),
            )


def _strict_fields(said: str) -> Iterator[FieldCause]:
    for found in _UNKNOWN.finditer(said):
        kind = "duplicate" if found[1] == "dup" else "unknown"
        yield FieldCause(field=found[2], message=f"{kind} field", reason=f"{kind}-field")


# Fields are quoted as Go's %q does; a duplicate's name ends the same.
_UNKNOWN: Final = re.compile(r'(unknown|dup)(?:licate)? field "((?:[^"\\]|\\.)*)"')
_WITH_FIELDS: Final = frozenset({Refuser.VALIDATION, Refuser.STRICT_DECODING, Refuser.WEBHOOK})

_INTERNAL = r"(?:Internal error occurred: )?"
_FORBIDDEN = r'[\w./-]+(?: "[^"]*")? is forbidden: '
_DECODING = r'[\w./-]+ in version "[^"]*" cannot be handled as an? [\w./-]+: '
# evanphx/json-patch and the decoding of what it made; of the server's own errors none reads so.
_PATCHING = (
    r"(?:error in (?:add|remove|replace|move|copy|test) for (?:path|from):"
    r"|(?:add|remove|replace|move|copy|test) operation (?:does not apply|failed|value must|hit)"
    r"|error while (?:performing deep copy|adding value during copy)"
    r"|Unable to (?:complete the copy|create array)"
    r"|testing value .* failed"
    r"|Unexpected kind: "
    r"|json: "
    r"|invalid character "
    r"|unexpected end of JSON"
    r"|quantities must match|unable to parse quantity"
    r"|illegal base64"
    r"|parsing time "
    r'|no kind "'
    r"|Object 'Kind' is missing)"
)
_LIMIT = (
    r"(?:(?:minimum|maximum) [\w./-]+ usage per (?:Container|Pod|PersistentVolumeClaim) is "
    r"|[\w./-]+ max limit to request ratio per )"
)


def _form(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


# In this order: what a webhook says comes behind its name and may say anything.
_FORMS: Final = (
    (
        Refuser.WEBHOOK,
        _form(
            r'admission webhook "(?P<name>[^"]*)" denied the request'
            r"(?::| (?=without)) ?(?P<said>.*)"
        ),
    ),
    (
        Refuser.WEBHOOK_DRY_RUN,
        _form(r'(?P<said>admission webhook "(?P<name>[^"]*)" does not support dry ?run.*)'),
    ),
    (
        Refuser.WEBHOOK_CALL,
        _form(_INTERNAL + r'failed calling webhook "(?P<name>[^"]*)"[:,]? ?(?P<said>.*)'),
    ),
    (Refuser.WEBHOOK_ANSWER, _form(rf"Internal error occurred: (?P<said>{_PATCHING}.*)")),
    (
        Refuser.POLICY,
        _form(
            rf"(?:{_FORBIDDEN})?(?:ValidatingAdmissionPolicy|policy) ['\"](?P<name>[^'\"]*)['\"]"
            r"(?: with binding '[^']*')?(?: denied request:)? ?(?P<said>.*)"
        ),
    ),
    (
        Refuser.POD_SECURITY,
        _form(rf'{_FORBIDDEN}violates PodSecurity "(?P<name>[^"]*)": (?P<said>.*)'),
    ),
    (
        Refuser.QUOTA,
        _form(
            rf"{_FORBIDDEN}(?P<said>(?:exceeded quota|failed quota|status unknown for quota): "
            r"(?P<name>[^,:]+).*|insufficient quota .*)"
        ),
    ),
    (Refuser.LIMIT_RANGE, _form(rf"{_FORBIDDEN}(?P<said>\[?{_LIMIT}.*)")),
    (
        Refuser.NAMESPACE,
        _form(rf"{_FORBIDDEN}(?P<said>unable to create new content in namespace (?P<name>\S+) .*)"),
    ),
    (
        Refuser.MATCH_CONDITION,
        _form(
            rf"{_FORBIDDEN}(?P<said>\[?expression '.*|.*match ?condition.*|.*out of cost budget.*)"
        ),
    ),
    (
        Refuser.SERVICE_ACCOUNT,
        _form(rf"{_FORBIDDEN}(?P<said>error looking up service account (?P<name>[^:]+):.*)"),
    ),
    (
        Refuser.PERMISSION,
        _form(rf'{_FORBIDDEN}(?P<said>User "(?P<name>[^"]*)" cannot .*)'),
    ),
    (Refuser.NAMESPACE, _form(r'(?P<said>namespaces "(?P<name>[^"]*)" not found.*)')),
    (
        Refuser.NAMESPACE,
        _form(r"(?P<said>the namespace of the (?:provided )?object does not match.*)"),
    ),
    (Refuser.PLUGIN, _form(rf"{_FORBIDDEN}(?P<said>.*)")),
    (Refuser.STRICT_DECODING, _form(rf"{_DECODING}(?P<said>strict decoding error: .*)")),
    (Refuser.DECODING, _form(rf"{_DECODING}(?P<said>.*)")),
    (Refuser.VALIDATION, _form(r'[\w./-]+ "[^"]*" is invalid: (?P<said>.*)')),
    (Refuser.EXISTS, _form(r'(?P<said>[\w./-]+ "(?P<name>[^"]*)" already exists.*)')),
    (Refuser.TIMEOUT, _form(r"(?P<said>(?:Timeout: )?request did not complete within .*)")),
)
_BY_REASON: Final = {
    "Unauthorized": Refuser.PERMISSION,
    "Forbidden": Refuser.PLUGIN,
    "Invalid": Refuser.VALIDATION,
    "AlreadyExists": Refuser.EXISTS,
    "Timeout": Refuser.TIMEOUT,
}
_BY_CODE: Final = {401: Refuser.PERMISSION, 504: Refuser.TIMEOUT}
