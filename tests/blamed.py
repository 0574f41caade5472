"""Pods that went through a chain, as tests of blaming need them."""

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind, Stage
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk

CATALOGUE = load_catalogue()
SCHEMA = CATALOGUE.schema(CATALOGUE.newest)
FIRST = Actor(kind=ActorKind.WEBHOOK, name="config/first", position=0, known_by="Seen.")
SECOND = Actor(kind=ActorKind.WEBHOOK, name="config/second", position=1, known_by="Seen.")


def build_pod(spec: JsonObject, **metadata: JsonValue) -> JsonObject:
    """A pod with that spec."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata}, "spec": spec}


def container(name: str, **members: JsonValue) -> JsonObject:
    """A container of a pod."""
    return {"name": name, "image": "app:1", **members}


def tree_of(*stages: tuple[Actor, JsonObject]) -> Node:
    """The blamed tree of pods, each with who made it of the one before."""
    return blame([Stage(actor=actor, pod=pod) for actor, pod in stages], SCHEMA)


def nodes_of(*stages: tuple[Actor, JsonObject]) -> dict[str, Node]:
    """The nodes of the tree by keyed path."""
    return dict(walk(tree_of(*stages)))
