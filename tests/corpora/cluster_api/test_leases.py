"""What crashed runs left behind, told from what is in use."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webhook_fuzz.corpora.cluster_api import leases
from webhook_fuzz.corpora.cluster_api.leases import is_over, new_lease, parse_lease
from webhook_fuzz.corpora.json_values import JsonObject

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def metadata(owner: str, expires: object = "2026-05-01T01:00:00+00:00") -> JsonObject:
    return {"annotations": {"webhook-fuzz/owner": owner, "webhook-fuzz/expires": str(expires)}}


def own(*, lifetime: timedelta = HOUR) -> JsonObject:
    return {"annotations": {**new_lease(now=NOW, lifetime=lifetime).annotations()}}


def test_what_this_process_made_is_in_use_until_its_time_is_over() -> None:
    assert not is_over(own(), now=NOW)
    assert is_over(own(), now=NOW + HOUR)


def test_what_a_dead_process_of_this_machine_made_is_left_behind() -> None:
    script = (
        "from datetime import *\n"
        "from webhook_fuzz.corpora.cluster_api.leases import new_lease\n"
        "print(new_lease(now=datetime.now(UTC), lifetime=timedelta(1)).owner)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert is_over(metadata(ran.stdout.strip()), now=NOW)


def test_a_process_that_got_the_number_of_a_dead_one_is_not_its_owner() -> None:
    owner = new_lease(now=NOW, lifetime=HOUR).owner
    assert f"/{os.getpid()}." in owner

    assert is_over(metadata(f"{owner}0"), now=NOW)


@pytest.mark.parametrize("owner", ["", "other-boot/4026531836/1.5", "nonsense", "a/b/c.d"])
def test_an_owner_elsewhere_counts_as_alive_until_its_time_is_over(owner: str) -> None:
    assert not is_over(metadata(owner), now=NOW)
    assert is_over(metadata(owner), now=NOW + HOUR)


@pytest.mark.parametrize(
    "found",
    [{}, {"annotations": 7}, {"annotations": {}}, metadata("x", "tomorrow"), metadata("x", "")],
)
def test_what_has_no_lease_is_not_ours(found: JsonObject) -> None:
    assert not is_over(found, now=NOW)


def test_a_time_without_a_zone_is_utc() -> None:
    assert is_over(metadata("x", "2026-04-30T23:59:59"), now=NOW)


def test_where_processes_have_no_unique_name_only_time_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PROC", tmp_path)

    assert new_lease(now=NOW, lifetime=HOUR).owner == ""
    assert not is_over(metadata("a/b/1.2"), now=NOW)


def test_a_lease_is_read_as_it_was_written() -> None:
    lease = new_lease(now=NOW, lifetime=HOUR)
    found = parse_lease(lease.owner, lease.expires.isoformat(timespec="seconds"))
    assert found == lease
    assert not lease.has_ended(now=NOW)
    assert lease.has_ended(now=NOW + HOUR)
    assert parse_lease("x", None) is None
