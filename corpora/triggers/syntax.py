"""Would the API server accept this name, label or annotation?

The rules of k8s.io/apimachinery pkg/util/validation (validation.go) and pkg/api/validation
(objectmeta.go). Each function answers with what is wrong, or None.
"""

import re
from collections.abc import Mapping

_LABEL_LENGTH = 63
_SUBDOMAIN_LENGTH = 253
_ANNOTATIONS_BYTES = 256 * 1024  # TotalAnnotationSizeLimitB
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_QUALIFIED_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def fault_of_dns_label(text: str) -> str | None:
    """A namespace's name: lower case letters, digits and '-', at most 63 (RFC 1123 label)."""
    if len(text) > _LABEL_LENGTH:
        return f"is longer than {_LABEL_LENGTH} characters"
    if _DNS_LABEL.fullmatch(text) is None:
        return "is not made of lower case letters, digits and '-' between letters or digits"
    return None


def fault_of_dns_subdomain(text: str) -> str | None:
    """A service account's name or the prefix of a key: labels joined by '.', at most 253."""
    if len(text) > _SUBDOMAIN_LENGTH:
        return f"is longer than {_SUBDOMAIN_LENGTH} characters"
    if _DNS_SUBDOMAIN.fullmatch(text) is None:
        return "is not a DNS subdomain (lower case letters, digits, '-' and '.')"
    return None


def fault_of_label_key(key: str) -> str | None:
    """`name` or `prefix/name`: a DNS subdomain, and up to 63 letters, digits, '-', '_', '.'."""
    prefix, slash, name = key.rpartition("/")
    if slash and (fault := fault_of_dns_subdomain(prefix)) is not None:
        return f"has the prefix {prefix!r}, which {fault}"
    if len(name) > _LABEL_LENGTH:
        return f"has a name longer than {_LABEL_LENGTH} characters"
    if _QUALIFIED_PART.fullmatch(name) is None:
        return "has no name of letters, digits, '-', '_' and '.' between letters or digits"
    return None


def fault_of_annotation_key(key: str) -> str | None:
    """As a label's key, but the prefix may have upper case letters: it is lowered first."""
    return fault_of_label_key(key.lower())


def fault_of_label_value(value: str) -> str | None:
    """Empty, or up to 63 letters, digits, '-', '_' and '.' between letters or digits."""
    if len(value) > _LABEL_LENGTH:
        return f"has a value longer than {_LABEL_LENGTH} characters"
    if value and _QUALIFIED_PART.fullmatch(value) is None:
        return f"has the value {value!r}, which is no label value"
    return None


def fault_of_annotations(annotations: Mapping[str, str]) -> str | None:
    """All keys and values together have a limit; single values have none."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_BYTES:
        return f"have {size} bytes, more than {_ANNOTATIONS_BYTES}"
    return None
