"""What the differential tests share: each runs on every version of the API server under test."""

from pathlib import Path

import pytest

from testbed.agreements import Bench
from testbed.control_planes import minors_under_test
from testbed.fixtures import past_capture, shared_control_plane
from webhook_fuzz.corpora.versions import Minor


@pytest.fixture(params=minors_under_test(), ids=str)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    minor: Minor = request.param
    plane = shared_control_plane(request.config, minor)
    return Bench(plane=plane, folder=tmp_path, progress=past_capture(request.config))
