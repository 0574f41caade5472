"""How does a recorded pod become a test case for fields it does not have?

It takes the place of a shipped seed pod: the catalogue's probes are laid on it as a sweep lays them
on any seed, and what makes the webhook act is on it already. What the webhooks before this one
added is on it too: that is this webhook's real input. What only this one call had (managedFields,
nulls that mean absence) is taken off, and defaults that an older API server did not set are filled
in when the plan is made (`plans.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError, decode_object
from webhook_fuzz.fuzzer.plans import Plan, build_plan, replan
from webhook_fuzz.fuzzer.recorded.shapes import Sample
from webhook_fuzz.fuzzer.transports import Transport

UNUSABLE = "pods the API server could not create"

_CONTAINER_LISTS = ("initContainers", "containers")
# Set for the one object that was created, or by whoever wrote it.
_OF_ONE_OBJECT = ("managedFields", "uid", "resourceVersion", "generation", "selfLink")


def seed_name(sample: Sample) -> str:
    """What a recorded pod is called in cases and reports."""
    return f"recorded-{sample.number}"


def seed_of(sample: Sample, schema: FieldSchema) -> SeedPod | None:
    """The recorded pod as a seed; None where no API server could have created it.

    `schema` is that of the newest minor the catalogue knows.
    """
    alike = f", and stands for {sample.count:,} alike" if sample.count > 1 else ""
    because = f"It was recorded ({sample.id}){alike}."
    return pod_seed(object_at(sample.review, "request"), seed_name(sample), because, schema)


def pod_seed(request: JsonObject, name: str, because: str, schema: FieldSchema) -> SeedPod | None:
    """The pod a request would create as a seed, or None as above."""
    pod = _without_nulls(object_at(request, "object"))
    if not isinstance(pod, dict) or not _is_whole(pod):
        return None
    if isinstance(decode_object(pod, schema), DecodeError):
        return None
    metadata = {
        key: member
        for key, member in object_at(pod, "metadata").items()
        if key not in _OF_ONE_OBJECT
    }
    return SeedPod(
        name=name,
        because=because,
        namespace=text_at(request, "namespace") or "default",
        pod={**pod, "metadata": metadata},
    )


def make_seeds(
    accepted: Sequence[tuple[Sample, bool]], schema: FieldSchema, left_out: Counter[str]
) -> tuple[SeedPod, ...]:
    """Seeds of all samples that can be one, each given with whether the webhook patched it.

    Those it patched come first, and the smallest of these before all: it confirms. What can be no
    seed is counted in `left_out`.
    """
    made: list[tuple[bool, SeedPod]] = []
    for sample, patched in accepted:
        seed = seed_of(sample, schema)
        if seed is None:
            left_out[UNUSABLE] += 1
        else:
            made.append((not patched, seed))
    if not made:
        return ()
    smallest = min(made, key=lambda one: (one[0], len(repr(one[1].pod))))
    made.sort(key=lambda one: (one is not smallest, one[0]))
    return tuple(seed for _, seed in made)


def plan_for(seeds: Sequence[SeedPod], target: Minor | None, random_seed: int) -> Plan:
    """The plan that tries every probe on these pods, and no others; the first one confirms."""
    plan = build_plan(target, random_seed=random_seed)
    return replan(plan, seeds) if seeds else plan


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedByTheirUsers:
    """A transport that says of every pod that those ask for it who did when it was recorded.

    Some webhooks act on some users' pods only. Pods are known by namespace and name, which probes
    leave alone.
    """

    transport: Transport
    users: Mapping[tuple[str, str, str], JsonObject] = field(repr=False)

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review`, by the user of its pod where there is one."""
        request = object_at(review, "request")
        user = self.users.get(name_of(request))
        if user is not None:
            # In its place: the order of members is that of Go's struct.
            review = {**review, "request": {**request, "userInfo": user}}
        return await self.transport.send(review)


def users_of(samples: Sequence[Sample]) -> Mapping[tuple[str, str, str], JsonObject]:
    """Who asked for each pod, by its namespace and names."""
    found: dict[tuple[str, str, str], JsonObject] = {}
    for sample in samples:
        request = object_at(sample.review, "request")
        if user := object_at(request, "userInfo"):
            found.setdefault(name_of(request), user)
    return found


def name_of(request: JsonObject) -> tuple[str, str, str]:
    """Namespace, name and generateName of the object asked for."""
    metadata = object_at(request, "object", "metadata")
    return (
        text_at(request, "namespace"),
        text_at(metadata, "name"),
        text_at(metadata, "generateName"),
    )


def _is_whole(pod: JsonObject) -> bool:
    """Whether it has containers, each with a name of its own."""
    spec = object_at(pod, "spec")
    names = list(_container_names(spec))
    return bool(objects_at(spec, "containers")) and all(names) and len(set(names)) == len(names)


def _container_names(spec: JsonObject) -> Iterator[str]:
    for member in _CONTAINER_LISTS:
        found = spec.get(member)
        for container in found if isinstance(found, list) else ():
            yield text_at(container, "name") if isinstance(container, dict) else ""


def _without_nulls(value: JsonValue) -> JsonValue:
    """The value without members that are null: to the API server they are absent."""
    match value:
        case dict():
            return {name: _without_nulls(each) for name, each in value.items() if each is not None}
        case list():
            return [_without_nulls(element) for element in value]
        case _:
            return value
