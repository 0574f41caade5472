"""Which pull policy does an image reference get by default?

`Always` for the tag `latest`, also where neither tag nor digest is given; `IfNotPresent` for
everything else, references that cannot be parsed included.

Source: k8s.io/kubernetes pkg/util/parsers/parsers.go ParseImageName, pkg/apis/core/v1/defaults.go
SetDefaults_Container; github.com/distribution/reference regexp.go, normalize.go.
"""

import re
from functools import lru_cache

_NAME_LIMIT = 255
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST = r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}"
_REFERENCE = re.compile(
    rf"(?P<name>{_DOMAIN}/{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


@lru_cache(maxsize=4096)
def default_pull_policy(image: str) -> str:
    """`Always` or `IfNotPresent`."""
    found = None if _IDENTIFIER.fullmatch(image) else _REFERENCE.fullmatch(_with_domain(image))
    if found is None or len(found["name"]) > _NAME_LIMIT:
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _with_domain(image: str) -> str:
    """Source: normalize.go splitDockerDomain."""
    first, slash, _ = image.partition("/")
    is_domain = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash:
        return f"docker.io/library/{image}"
    return image if is_domain else f"docker.io/{image}"
