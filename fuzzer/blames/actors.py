"""Who can have done something to a pod on its way into the cluster?

Every field of a stored pod was set by somebody: the user, a controller, the API server's defaults,
an in-tree admission plugin, a webhook, the scheduler or the kubelet. Where it cannot be told, the
actor is UNKNOWN, which is an answer too: nobody is accused on suspicion.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Step, render_path


class ActorKind(StrEnum):
    """The kinds of actors, in the order in which they first touch a pod.

    SERVER is kube-apiserver itself beyond its defaults and plugins (names, namespaces, fields it
    does not know or drops for a gate); EDITOR is whoever changed the stored pod afterwards.
    """

    USER = "user"
    CONTROLLER = "controller"
    DEFAULT = "default"
    PLUGIN = "plugin"
    WEBHOOK = "webhook"
    SERVER = "server"
    NODE = "node"
    EDITOR = "editor"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One of them. `name` is `CONFIG/NAME` of a webhook, the plugin's name, the manager's.

    `position` is a webhook's place in the chain, from 0, and `round` the round in which it acted.
    `known_by` is one sentence on how it is known that it was this one.
    """

    kind: ActorKind
    name: str = ""
    position: int | None = None
    round: int = 0
    known_by: str = ""


USER = Actor(kind=ActorKind.USER, known_by="It is in the pod as it was given.")
DEFAULT = Actor(
    kind=ActorKind.DEFAULT, known_by="The API server fills it in where a pod says nothing."
)
UNKNOWN = Actor(kind=ActorKind.UNKNOWN, known_by="Nothing shows who it was.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """What a stage did at one place: a value set (or changed, or taken away, with `gone`).

    `setter` is who had set what was there before, None where nothing was.
    """

    steps: tuple[Step, ...]
    value: JsonValue
    gone: bool = False
    setter: Actor | None = None

    @property
    def path(self) -> str:
        """The keyed path of the place."""
        return render_path(self.steps)


Recognise: TypeAlias = Callable[[Touch], Actor | None]
"""Who did what a touch says; None leaves it to the places below, and at last to the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The pod after one actor had its turn; `recognise` names others by what they did.

    `observed` says that the pod is what came of it in the end, while the stages before were tried
    out: what was gone then and is there was never gone, what a webhook added then and is not there
    was never added.
    """

    actor: Actor
    pod: JsonObject = field(repr=False)
    recognise: Recognise | None = field(default=None, repr=False)
    observed: bool = False

    def who(self, touch: Touch) -> Actor | None:
        """Who did it, as far as the place itself tells."""
        return self.recognise(touch) if self.recognise else None
