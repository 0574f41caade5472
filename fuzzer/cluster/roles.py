"""Which ClusterRole and Role give exactly the permissions that are needed?

Rendered as YAML with a comment a rule: whoever applies it must be able to see what each rule is for
before granting it. Rules are sorted into a ClusterRole and a Role for the namespace pods are tried
in, where one is given; each comes with a binding.
"""

import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cluster.permissions import Extent, Mode, Need, Permission, needs_of

_API_VERSION = "rbac.authorization.k8s.io/v1"
_API_GROUP = "rbac.authorization.k8s.io"
_COLUMNS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOptions:
    """For which modes, and how far.

    `namespace` is where pods are tried, None for a temporary one. `services` are those the service
    proxy may be used for; empty for all. `name` is that of the roles and of the service account.
    """

    modes: Sequence[Mode]
    name: str = "webhook-fuzz"
    namespace: str | None = None
    services: Sequence[ServiceReference] = ()


class _Target(NamedTuple):
    """What a rule is about; needs with the same target share one rule."""

    group: str
    resources: tuple[str, ...]
    paths: tuple[str, ...]
    names: tuple[str, ...]


def render_roles(options: RoleOptions) -> str:
    """The roles and their bindings as YAML documents, with a comment a rule."""
    needs = needs_of(options.modes, namespace=options.namespace)
    proxied = [need for need in needs if _is_narrowed(need, options)]
    inside = [need for need in needs if _is_inside(need, options) and need not in proxied]
    across = [need for need in needs if need not in proxied and need not in inside]
    documents = [_head(options, needs)]
    if across:
        documents += [_role(options, across, None), _binding(options, None)]
    if inside:
        documents += [_role(options, inside, options.namespace)]
        documents += [_binding(options, options.namespace)]
    for namespace in sorted({service.namespace for service in options.services} if proxied else ()):
        # A second role of the same name in the work namespace would replace the first.
        name = f"{options.name}-proxy"
        narrowed = [_narrowed(need, options.services, namespace) for need in proxied]
        documents += [_role(options, narrowed, namespace, name), _binding(options, namespace, name)]
    head, *others = documents
    return head + "---\n".join(others)


def _is_narrowed(need: Need, options: RoleOptions) -> bool:
    return need.mode is Mode.SERVICE_PROXY and bool(options.services)


def _is_inside(need: Need, options: RoleOptions) -> bool:
    return options.namespace is not None and need.permission.extent is Extent.WORK


def _narrowed(need: Need, services: Iterable[ServiceReference], namespace: str) -> Need:
    """RBAC compares resourceNames with the name as it stands in the URL: `https:NAME:PORT`."""
    names = tuple(
        f"https:{service.name}:{service.port}"
        for service in services
        if service.namespace == namespace
    )
    permission = need.permission
    narrow = Permission(
        verbs=permission.verbs,
        resources=permission.resources,
        names=names,
        why="calls these webhooks one by one through the API server",
        without=permission.without,
    )
    return Need(mode=need.mode, permission=narrow)


def _head(options: RoleOptions, needs: Iterable[Need]) -> str:
    lines = [f"# What webhook-fuzz needs for: {', '.join(dict.fromkeys(options.modes))}."]
    extents = {need.permission.extent for need in needs}
    if options.namespace and Extent.WORK in extents:
        lines.append(f"# Pods are tried in the namespace {options.namespace}.")
    elif Extent.WORK in extents:
        made = " (one is made for it)" if Extent.TEMPORARY in extents else ""
        lines.append(f"# Pods are tried in any namespace{made}; with --namespace less is needed.")
    lines.append("# The subject of the bindings is a placeholder: put in who runs webhook-fuzz.")
    return "".join(f"{line}\n" for line in lines)


def _role(
    options: RoleOptions, needs: Iterable[Need], namespace: str | None, name: str | None = None
) -> str:
    kind = "Role" if namespace else "ClusterRole"
    return _metadata(kind, name or options.name, namespace) + "rules:\n" + "".join(_rules(needs))


def _rules(needs: Iterable[Need]) -> list[str]:
    by_target: dict[_Target, list[Need]] = {}
    for need in needs:
        by_target.setdefault(_target(need.permission), []).append(need)
    return [_rule(target, same) for target, same in by_target.items()]


def _target(permission: Permission) -> _Target:
    return _Target(permission.group, permission.resources, permission.paths, permission.names)


def _rule(target: _Target, needs: Sequence[Need]) -> str:
    verbs = list(dict.fromkeys(verb for need in needs for verb in need.permission.verbs))
    about = {"nonResourceURLs": list(target.paths)} if target.paths else _resources(target)
    members = [f"{name}: {json.dumps(value)}" for name, value in {**about, "verbs": verbs}.items()]
    comments = "".join(f"  {line}\n" for line in _comments(needs))
    return comments + "  - " + "\n    ".join(members) + "\n"


def _resources(target: _Target) -> dict[str, list[str]]:
    named = {"resourceNames": list(target.names)} if target.names else {}
    return {"apiGroups": [target.group], "resources": list(target.resources), **named}


def _comments(needs: Sequence[Need]) -> list[str]:
    """A sentence a reason, with the modes that have it."""
    modes: dict[str, list[str]] = {}
    for need in needs:
        modes.setdefault(need.permission.why, []).append(need.mode)
    return [
        line
        for why, of in modes.items()
        for line in textwrap.wrap(
            f"{', '.join(of)}: {why}", _COLUMNS, initial_indent="# ", subsequent_indent="#   "
        )
    ]


def _binding(options: RoleOptions, namespace: str | None, name: str | None = None) -> str:
    kind = "Role" if namespace else "ClusterRole"
    return (
        _metadata(f"{kind}Binding", name or options.name, namespace)
        + f"roleRef:\n  apiGroup: {_API_GROUP}\n  kind: {kind}\n"
        + f"  name: {json.dumps(name or options.name)}\n"
        + "subjects:\n  - kind: ServiceAccount\n"
        + f"    name: {json.dumps(options.name)}  # placeholder\n"
        + f"    namespace: {json.dumps(options.namespace or 'default')}  # placeholder\n"
    )


def _metadata(kind: str, name: str, namespace: str | None) -> str:
    placed = f"  namespace: {json.dumps(namespace)}\n" if namespace else ""
    return (
        f"apiVersion: {_API_VERSION}\nkind: {kind}\nmetadata:\n  name: {json.dumps(name)}\n{placed}"
    )
