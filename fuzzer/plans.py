"""What is sent to every webhook of a run?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.probes.loading import Probe, load_probes
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.corpora.seeds.loading import SeedPod, load_shipped_seeds
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.generation.packing import Sweep, pack_sweep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send to every webhook of a run.

    The first of `seeds` is the smallest one, used to confirm what broke. `triggers` come after the
    pods as they are. `random_seed` decides the uids, and nothing else is random. `redactor` knows
    the secrets of the user's own pods.
    """

    catalogue: Catalogue
    target: Minor
    seeds: Sequence[SeedPod]
    probes: Mapping[str, Probe]
    triggers: Sequence[Trigger]
    sweep: Sweep
    random_seed: int = 0
    redactor: Redactor = field(default_factory=Redactor)

    @property
    def minimal(self) -> SeedPod:
        """The smallest seed."""
        return self.seeds[0]

    @property
    def schema(self) -> FieldSchema:
        """The newest fields known."""
        return self.catalogue.schema(self.catalogue.newest)


def build_plan(
    target: Minor | None = None,
    *,
    triggers: Sequence[Trigger] = (),
    pods: Sequence[SeedPod] = (),
    more_pods: Sequence[SeedPod] = (),
    random_seed: int = 0,
) -> Plan:
    """The plan for a target minor (the newest one known unless given).

    The user's own `pods` take the place of the shipped seeds, but for the smallest, which confirms;
    `more_pods` come after them.
    Raises InputError for a target outside the catalogue.
    """
    catalogue = load_catalogue()
    target = target or catalogue.newest
    if not min(catalogue.sources) < target <= catalogue.newest:
        raise InputError(
            f"the field catalogue knows nothing of Kubernetes {target}",
            hint=f"It covers {min(catalogue.sources).shifted(1)} to {catalogue.newest}; a newer "
            "webhook-fuzz may know more.",
        )
    smallest, *others = load_shipped_seeds()
    defaulted = default_seeds((smallest, *(pods or others), *more_pods))
    probes = {name: probe for name, probe in load_probes().items() if probe.fits(target)}
    redactor = Redactor()
    redactor.learn(seed.pod for seed in (*pods, *more_pods))  # what is shipped holds no secrets
    return Plan(
        catalogue=catalogue,
        target=target,
        seeds=defaulted,
        probes=probes,
        triggers=tuple(triggers),
        sweep=pack_sweep(defaulted, probes, catalogue.schema(catalogue.newest)),
        random_seed=random_seed,
        redactor=redactor,
    )


def replan(plan: Plan, seeds: Sequence[SeedPod]) -> Plan:
    """The same plan on other seed pods, the first of which confirms."""
    defaulted = default_seeds(seeds)
    return replace(plan, seeds=defaulted, sweep=pack_sweep(defaulted, plan.probes, plan.schema))


def default_seeds(seeds: Sequence[SeedPod]) -> tuple[SeedPod, ...]:
    """The seeds as the API server defaults them."""
    return tuple(replace(seed, pod=default_pod(seed.pod)) for seed in seeds)
