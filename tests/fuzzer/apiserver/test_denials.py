"""Who refused a pod, by the messages a kube-apiserver 1.37 gave (names shortened)."""

import pytest

from webhook_fuzz.fuzzer.apiserver.denials import (
    Refuser,
    classify_denial,
    read_denial,
    unknown_fields,
)

FORBIDDEN = 'pods "p" is forbidden: '
INTERNAL = "Internal error occurred: "
STRICT = 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '


@pytest.mark.parametrize(
    ("message", "refuser", "name"),
    [
        ('admission webhook "a.b.c" denied the request: no', Refuser.WEBHOOK, "a.b.c"),
        ('admission webhook "a.b.c" denied the request without explanation', "webhook", "a.b.c"),
        ('admission webhook "a.b" does not support dry run', Refuser.WEBHOOK_DRY_RUN, "a.b"),
        (
            INTERNAL + 'failed calling webhook "a.b": failed to call webhook: Post "https://s.n.svc'
            ':443/?timeout=1s": service "s" not found',
            Refuser.WEBHOOK_CALL,
            "a.b",
        ),
        (
            INTERNAL + 'failed calling webhook "a.b"; no further details available',
            Refuser.WEBHOOK_CALL,
            "a.b",
        ),
        (
            INTERNAL + "error in remove for path: '/spec/nope': Unable to remove nonexistent key: "
            "nope: missing value",
            Refuser.WEBHOOK_ANSWER,
            "",
        ),
        (
            INTERNAL + 'add operation does not apply: doc is missing path: "/spec/x": missing',
            Refuser.WEBHOOK_ANSWER,
            "",
        ),
        (INTERNAL + "testing value /spec/x failed: test failed", Refuser.WEBHOOK_ANSWER, ""),
        (INTERNAL + "Unexpected kind: foo", Refuser.WEBHOOK_ANSWER, ""),
        (
            INTERNAL + "json: cannot unmarshal object into Go struct field PodSpec.spec.containers "
            "of type []v1.Container",
            Refuser.WEBHOOK_ANSWER,
            "",
        ),
        (
            INTERNAL + "quantities must match the regular expression '^([+-]?[0-9.]+)'",
            Refuser.WEBHOOK_ANSWER,
            "",
        ),
        (INTERNAL + "resource quota evaluation timed out", Refuser.OTHER, ""),
        (
            FORBIDDEN + "expression 'object.spec.nope == 'x'' resulted in error: no such key: nope",
            Refuser.MATCH_CONDITION,
            "",
        ),
        (
            FORBIDDEN + 'violates PodSecurity "restricted:latest": runAsNonRoot != true (…)',
            Refuser.POD_SECURITY,
            "restricted:latest",
        ),
        (
            FORBIDDEN + "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
            Refuser.QUOTA,
            "q",
        ),
        (FORBIDDEN + "failed quota: q: must specify limits.cpu for: c", Refuser.QUOTA, "q"),
        (
            FORBIDDEN + "insufficient quota to match these scopes: [{PriorityClass In [x]}]",
            Refuser.QUOTA,
            "",
        ),
        (
            FORBIDDEN + "maximum cpu usage per Container is 1, but limit is 4",
            Refuser.LIMIT_RANGE,
            "",
        ),
        (
            FORBIDDEN + "[minimum memory usage per Container is 1Gi, but request is 1Mi, cpu max "
            "limit to request ratio per Container is 2, but provided ratio is 4.000000]",
            Refuser.LIMIT_RANGE,
            "",
        ),
        (
            FORBIDDEN + "cpu max limit to request ratio per Pod is 2, but no limit is specified",
            Refuser.LIMIT_RANGE,
            "",
        ),
        (
            FORBIDDEN + "ValidatingAdmissionPolicy 'v' with binding 'b' denied request: no",
            Refuser.POLICY,
            "v",
        ),
        ("policy 'm' with binding 'b' denied request: JSON Patch: error", Refuser.POLICY, "m"),
        ('policy "m" denied request: error', Refuser.POLICY, "m"),
        (
            FORBIDDEN + 'error looking up service account n/sa: serviceaccount "sa" not found',
            Refuser.SERVICE_ACCOUNT,
            "n/sa",
        ),
        (
            FORBIDDEN + "unable to create new content in namespace n because it is being "
            "terminated",
            Refuser.NAMESPACE,
            "n",
        ),
        ('namespaces "n" not found', Refuser.NAMESPACE, "n"),
        (
            "the namespace of the provided object does not match the namespace sent on the request",
            Refuser.NAMESPACE,
            "",
        ),
        (
            (
                'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the '
                'namespace "n"'
            ),
            Refuser.PERMISSION,
            "u",
        ),
        (FORBIDDEN + "no PriorityClass with name nope was found", Refuser.PLUGIN, ""),
        (FORBIDDEN + 'pod rejected: RuntimeClass "nope" not found', Refuser.PLUGIN, ""),
        (STRICT + 'unknown field "spec.foo"', Refuser.STRICT_DECODING, ""),
        (
            (
                'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal object '
                "struct field PodSpec.spec.containers of type []v1.Container"
            ),
            Refuser.DECODING,
            "",
        ),
        (
            'Pod "p" is invalid: spec.restartPolicy: Unsupported value: "x"',
            Refuser.VALIDATION,
            "",
        ),
        ('pods "p" already exists', Refuser.EXISTS, "p"),
        (
            (
                "Timeout: request did not complete within requested timeout - context deadline "
                "exceeded"
            ),
            Refuser.TIMEOUT,
            "",
        ),
        ("etcdserver: leader changed", Refuser.OTHER, ""),
    ],
)
def test_every_message_names_its_refuser(message: str, refuser: str, name: str) -> None:
    denial = classify_denial(message)

    assert (denial.refuser, denial.name) == (refuser, name)


@pytest.mark.parametrize(
    "said",
    [
        'violates PodSecurity "restricted:latest": ha',
        'pods "p" is forbidden: exceeded quota: q',
        "strict decoding error: unknown field",
        "line 1\nline 2",
    ],
)
def test_what_a_webhook_writes_itself_does_not_count(said: str) -> None:
    denial = classify_denial(f'admission webhook "a.b" denied the request: {said}')

    assert (denial.webhook, denial.said) == ("a.b", said)


def test_a_webhook_that_gives_no_reason_is_named_all_the_same() -> None:
    denial = classify_denial('admission webhook "a.b" denied the request without explanation')

    assert (denial.webhook, denial.said) == ("a.b", "without explanation")


@pytest.mark.parametrize(
    "refuser",
    ["pod-security", "quota", "limit-range", "service-account", "namespace", "permission"],
)
def test_surroundings_are_never_a_webhook(refuser: str) -> None:
    messages = {
        "pod-security": FORBIDDEN + 'violates PodSecurity "baseline:v1.30": hostNetwork',
        "quota": FORBIDDEN + "exceeded quota: q, requested: pods=1",
        "limit-range": FORBIDDEN + "maximum memory usage per Pod is 1Gi.  No limit is specified",
        "service-account": FORBIDDEN + "error looking up service account n/sa: not found",
        "namespace": 'namespaces "n" not found',
        "permission": 'pods is forbidden: User "u" cannot create resource "pods"',
    }

    denial = classify_denial(messages[refuser])

    assert (denial.refuser, denial.by_surroundings, denial.by_a_webhook, denial.webhook) == (
        refuser,
        True,
        False,
        "",
    )


def test_an_invalid_pod_is_blamed_on_nobody_yet_and_names_its_fields() -> None:
    denial = read_denial(
        {
            "message": 'Pod "p" is invalid: spec.containers[0].image: Required value',
            "reason": "Invalid",
            "code": 422,
            "details": {
                "causes": [
                    {
                        "reason": "FieldValueRequired",
                        "message": "Required value",
                        "field": "spec.containers[0].image",
                    },
                    "no object",
                ]
            },
        }
    )

    assert not denial.by_a_webhook
    assert not denial.by_surroundings
    assert [(cause.field, cause.reason) for cause in denial.fields] == [
        ("spec.containers[0].image", "FieldValueRequired")
    ]


def test_strict_decoding_lists_unknown_and_duplicate_fields() -> None:
    said = 'unknown field "spec.containers[0].bar", duplicate field "spec.foo"'

    denial = classify_denial(STRICT + said)

    assert [(cause.field, cause.message) for cause in denial.fields] == [
        ("spec.containers[0].bar", "unknown field"),
        ("spec.foo", "duplicate field"),
    ]
    assert unknown_fields(said) == ("spec.containers[0].bar",)


@pytest.mark.parametrize(
    ("reason", "code", "refuser"),
    [
        ("Unauthorized", 401, Refuser.PERMISSION),
        ("Invalid", 422, Refuser.VALIDATION),
        ("", 504, Refuser.TIMEOUT),
        ("", 500, Refuser.OTHER),
    ],
)
def test_an_unknown_message_is_judged_by_its_reason(
    reason: str, code: int, refuser: Refuser
) -> None:
    assert classify_denial("?", reason, code).refuser is refuser


def test_a_status_without_members_is_no_error() -> None:
    assert read_denial({"message": 7, "details": {"causes": {}}}).refuser is Refuser.OTHER
