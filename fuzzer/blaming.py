"""How is it found out who did what to a pod?

The pod is created by server-side dry run, which shows the end; each webhook that would be called is
called alone, in the chain's order, which shows what is between. Nothing is stored. What could not
be seen is said, and leaves somebody unknown rather than accused.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.workloads import Malformed, pods_of_manifest
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.matching import pod_attributes
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.blames.accounts import Account, calls_of_walk
from webhook_fuzz.fuzzer.blames.actors import ActorKind, Stage
from webhook_fuzz.fuzzer.blames.histories import Passage, stages_of_passage
from webhook_fuzz.fuzzer.blames.origins import template_of, without_defaults
from webhook_fuzz.fuzzer.blames.plugins import preview
from webhook_fuzz.fuzzer.blames.stored_pods import (
    OWNER_PATHS,
    controller_of,
    missing_since_creation,
    origin_of,
    stored_stage,
    with_names_of,
)
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk
from webhook_fuzz.fuzzer.chains.hops import Walk
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.cluster.surveying import list_configurations
from webhook_fuzz.fuzzer.transports import Caller, Uncalled
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions, choose_reach
from webhook_fuzz.fuzzer.transports.dry_run import Created, DryRun, Refused, dry_run_pod
from webhook_fuzz.fuzzer.transports.reaching import Reaches

_T = TypeVar("_T")

_POD_KINDS = (
    "Pod, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, ReplicationController "
    "or PodTemplate"
)


@dataclass(frozen=True, kw_only=True)
class BlameOptions:
    """`source` is a phrase for people: `the context staging`. `reach` says what may be called.

    With `alone` False no webhook is called alone: only what the API server shows is told.
    """

    source: str
    reach: ReachOptions = field(default_factory=ReachOptions)
    alone: bool = True
    catalogue: Catalogue = field(default_factory=load_catalogue)


async def blame_manifest(
    api: ClusterApi, manifest: JsonObject, options: BlameOptions, *, namespace: str | None = None
) -> Account:
    """The account of the pod a manifest stands for, as it would be created now.

    In the manifest's own namespace unless another is given. Raises InputError for what has no pod,
    ClusterError where the API server does not answer at all.
    """
    name, pod = _pod_of(manifest)
    name = name.removeprefix("pod/")
    template = None if manifest.get("kind") == "Pod" else template_of(manifest)
    investigation = _Investigation(
        api=api, options=options, namespace=namespace or _text(pod, "namespace")
    )
    kind = str(manifest.get("kind"))
    passage = await investigation.send(
        pod,
        given=template or pod,
        made=pod if template else None,
        controller=f"{kind} controller" if template else "",
    )
    account = investigation.account(passage, pod=f"{investigation.namespace}/{name}", others=())
    return replace(account, source=f"as a dry run in {options.source} would store it")


async def blame_stored_pod(
    api: ClusterApi, namespace: str, name: str, options: BlameOptions
) -> Account:
    """The account of a pod that is stored in the cluster, of what is known of its origin.

    It is made again by dry run: what webhooks do today is taken for what they did. Raises
    ClusterError where the pod cannot be read.
    """
    stored = await get_object(api, f"/api/v1/namespaces/{namespace}/pods/{name}")
    investigation = _Investigation(api=api, options=options, namespace=namespace)
    schema = options.catalogue.schema(options.catalogue.newest)
    owner = await investigation.owner(stored)
    origin = origin_of(stored, owner, schema)
    investigation.notes.append(origin.known_by)
    passage = await investigation.send(
        origin.pod,
        given=origin.given,
        made=origin.made,
        controller=origin.controller,
        stored=stored,
    )
    last = stored_stage(stored, schema)
    account = investigation.account(passage, pod=f"{namespace}/{name}", others=(last,))
    missing = missing_since_creation(stored, schema)
    evidence = tuple(
        f"managedFields say that the pod was created with {path}: it went missing in admission."
        for path in missing
    )
    return replace(
        account,
        source=f"as it is stored in {options.source}",
        notes=(*account.notes, *evidence),
    )


def _pod_of(manifest: JsonObject) -> tuple[str, JsonObject]:
    try:
        found = next(pods_of_manifest(manifest), None)
    except Malformed as error:
        raise InputError(
            f"the {manifest.get('kind')} cannot be created: {error}",
            hint="Give a manifest the API server would accept.",
        ) from error
    if found is None:
        raise InputError(
            f"there is no pod in a {manifest.get('kind') or 'manifest without a kind'}",
            hint=f"Give a {_POD_KINDS}.",
        )
    return found


@dataclass(kw_only=True)
class _Investigation:
    """What is found out about one pod, and what could not be seen on the way."""

    api: ClusterApi
    options: BlameOptions
    namespace: str
    unseen: list[Unseen] = field(default_factory=list[Unseen])
    notes: list[str] = field(default_factory=list[str])

    async def owner(self, stored: JsonObject) -> JsonObject | None:
        """The object of the controller that made a pod."""
        owner = controller_of(stored)
        if owner is None:
            return None
        version, kind, name = owner
        path = OWNER_PATHS.get((version, kind))
        if path is None:
            self.notes.append(f"What a {kind} of {version} makes its pods of is not known here.")
            return None
        found = self._seen(
            await attempt(get_object(self.api, path.format(self.namespace, name)), f"{kind} {name}")
        )
        return {"apiVersion": version, "kind": kind, **found} if found is not None else None

    async def send(
        self,
        pod: JsonObject,
        *,
        given: JsonObject,
        made: JsonObject | None,
        controller: str,
        stored: JsonObject | None = None,
    ) -> Passage:
        """Create the pod by dry run and walk it through the chain."""
        dry_run = self._seen(
            await attempt(dry_run_pod(self.api, pod, namespace=self.namespace), "dry runs")
        )
        reply = self._reply(dry_run)
        if reply is not None and stored is not None:
            reply = with_names_of(reply, stored)
        sent = dry_run.sent if dry_run is not None else pod
        first = default_pod(sent)
        if (likely := reply or stored) is not None:
            first = preview(first, likely)
        return Passage(
            given=given,
            made=made,
            controller=controller,
            # What is stored has the defaults written out already.
            sent=without_defaults(sent) if stored else sent,
            seen_first=first,
            walk=await self._walk(first),
            reply=reply,
        )

    def account(self, passage: Passage, *, pod: str, others: Sequence[Stage]) -> Account:
        """The account of what was seen; `others` are the stages after the dry run."""
        catalogue = self.options.catalogue
        stages = [*stages_of_passage(passage, catalogue), *others]
        tree = blame(stages, catalogue.schema(catalogue.newest))
        ended = passage.reply is not None or bool(others)
        return Account(
            pod=pod,
            source="",
            tree=tree,
            calls=calls_of_walk(passage.walk) if passage.walk else (),
            notes=tuple(self.notes),
            not_seen=tuple((unseen.what, unseen.why) for unseen in self.unseen),
            complete=ended and not self.unseen and not _has_unknown(tree),
        )

    async def _walk(self, pod: JsonObject) -> Walk | None:
        if not self.options.alone:
            self.notes.append("No webhook was called alone.")
            return None
        configurations = self._seen(
            await attempt(list_configurations(self.api), "webhook configurations")
        )
        if configurations is None:
            return None
        attributes = pod_attributes(
            pod, namespace=self.namespace, namespace_labels=await self._namespace_labels()
        )
        version = await _read_version(self.api)
        options = WalkOptions(api_server=version, catalogue=self.options.catalogue)
        webhooks = list_webhooks(configurations)
        async with _Callers(self.api, self.options.reach) as caller:
            try:
                return await walk_chain(pod, webhooks, attributes, caller, options=options)
            except InputError as error:
                self.notes.append(f"No webhook was called: {error.message}.")
                return None

    async def _namespace_labels(self) -> Mapping[str, str] | None:
        path = f"/api/v1/namespaces/{self.namespace}"
        found = self._seen(await attempt(get_object(self.api, path), f"namespace {self.namespace}"))
        return None if found is None else object_labels(found)

    def _reply(self, dry_run: DryRun | None) -> JsonObject | None:
        if dry_run is None:
            return None
        if dry_run.unknown_fields:
            fields = ", ".join(dry_run.unknown_fields)
            self.notes.append(f"The API server does not know {fields}: sent without.")
        match dry_run.outcome:
            case Created(pod=pod):
                return pod
            case Refused(message=message):
                self.notes.append(
                    f"The API server refuses the pod, so its end is not seen: {message}"
                )
                return None

    def _seen(self, found: Seen[_T]) -> _T | None:
        if isinstance(found, Unseen):
            self.unseen.append(found)
            return None
        return found


class _Callers:
    """Calls webhooks one by one, each by a way that is looked for when its turn comes."""

    def __init__(self, api: ClusterApi, options: ReachOptions) -> None:
        self._api = api
        self._options = options
        self._stack = AsyncExitStack()
        self._ways: dict[int, Caller] = {}

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def call(self, webhook: Webhook, review: JsonObject) -> Exchange | Uncalled:
        """Send `review` to `webhook`, or say why it cannot be called."""
        if webhook.position not in self._ways:
            reach = await choose_reach(webhook, self._api, self._options)
            ways = await self._stack.enter_async_context(Reaches([reach]))
            self._ways[webhook.position] = ways
        return await self._ways[webhook.position].call(webhook, review)


async def _read_version(api: ClusterApi) -> Minor:
    found = await get_object(api, "/version")
    return parse_minor(str(found.get("gitVersion")))


def _has_unknown(tree: Node) -> bool:
    return any(
        actor is not None and actor.kind is ActorKind.UNKNOWN
        for _, node in walk(tree)
        for actor in (node.setter, node.remover)
    )


def _text(pod: JsonObject, name: str) -> str:
    metadata = pod.get("metadata")
    found = metadata.get(name) if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""
