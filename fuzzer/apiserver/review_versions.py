"""Which version of AdmissionReview does a webhook get?"""

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.webhooks import Webhook


def review_version(webhook: Webhook) -> ReviewVersion | None:
    """The first known one of admissionReviewVersions; without any, every call fails (None).

    Source: k8s.io/apiserver pkg/admission/plugin/webhook/request/admissionreview.go
    CreateAdmissionObjects.
    """
    for version in webhook.review_versions:
        if version == "v1":
            return "v1"
        if version == "v1beta1":
            return "v1beta1"
    return None
