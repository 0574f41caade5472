"""Does defaulting leave the shipped seeds, captured from a real API server, as they are?"""

import copy

import pytest

from webhook_fuzz.corpora.seeds.loading import SeedPod, load_shipped_seeds
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod


@pytest.mark.parametrize("seed", load_shipped_seeds(), ids=lambda seed: seed.name)
def test_a_shipped_seed_is_a_fixpoint_of_defaulting(seed: SeedPod) -> None:
    assert default_pod(copy.deepcopy(seed.pod)) == seed.pod
