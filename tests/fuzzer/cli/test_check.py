"""`webhook-fuzz check`: recordings of the proxy's own sink, read by another process."""

import json
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from click.testing import CliRunner

from command_lines import Ran, run_cli
from recordings_of_specimens import write_recording
from replayed import RECORDED_WEBHOOK, plain_pods
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.cli.commands import cli
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.schemas import load_schema

OTHER = WebhookIdentity(configuration="injector", name="other", url="https://other.shop.svc/")
SECRET = "hunter2-is-no-password"


def mesh() -> JsonObject:
    return default_pod(shipped_seed("mesh").pod)


def record(folder: Path, specimen: str, pods: list[JsonObject], *, other: bool = False) -> Path:
    webhook = OTHER if other else RECORDED_WEBHOOK
    return write_recording(
        folder / "recording", get_specimen(specimen).program, pods, webhook=webhook
    )


def check(folder: Path, *arguments: object) -> Ran:
    """In this process: what is printed and returned is the same, and starting one takes longer."""
    words = ["check", "--output", str(folder / "out"), *map(str, arguments)]
    result = CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=False)
    return Ran(code=result.return_value, out=result.stdout, err=result.stderr)


async def check_as_users_do(folder: Path, *arguments: object) -> Ran:
    return await run_cli("check", "--output", folder / "out", *arguments, cwd=folder)


def read(folder: Path) -> RunResult:
    return cast("RunResult", json.loads((folder / "out" / "run.json").read_text("utf-8")))


async def test_a_lossy_webhook_is_found_in_what_it_did_to_recorded_pods(tmp_path: Path) -> None:
    recording = record(tmp_path, "typed-round-trip-1.27", [mesh()] * 3)

    ran = await check_as_users_do(tmp_path, recording, "--format", "junit", "--format", "sarif")

    run = read(tmp_path)
    jsonschema.validate(run, load_schema())
    assert ran.code == 1
    assert run["webhooks"][0]["verdict"] == "incompatible"
    first = run["findings"][0]
    assert (first["code"], first["field"]) == ("WF101", "spec.initContainers[].restartPolicy")
    occurred = first.get("occurrences")
    assert occurred is not None
    assert (occurred["count"], occurred["first_seen"]) == (3, "2023-11-14T22:13:20+00:00")
    assert first["reproducer"] is not None
    assert first["reproducer"]["confirmed"] == "as-recorded"
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "run.json",
        "report.html",
    }
    assert len(ran.out.splitlines()) <= 24


def test_every_report_says_what_did_not_occur(tmp_path: Path) -> None:
    recording = record(tmp_path, "perfect", [mesh()])

    ran = check(tmp_path, recording, "--format", "markdown")

    run, page = read(tmp_path), (tmp_path / "out" / "report.html").read_text("utf-8")
    assert ran.code == 0
    assert run["webhooks"][0]["verdict"] == "compatible"
    assert "nothing is known" in run["webhooks"][0]["sentence"]
    assert "webhook-fuzz replay --enrich" in ran.out
    for text in (ran.out, page):
        assert "Fields that did not occur in the traffic say nothing" in text
    traffic = run.get("traffic")
    assert traffic is not None
    assert traffic["webhooks"][0]["fields"] == [
        {
            "path": "spec.initContainers[].restartPolicy",
            "since": "1.28",
            "occurred": 1,
            "patched": 1,
            "outcome": "kept",
        }
    ]


def test_pods_without_new_fields_say_nothing_of_these(tmp_path: Path) -> None:
    recording = record(tmp_path, "perfect", plain_pods())

    ran = check(tmp_path, recording)
    strict = check(tmp_path, recording, "--require-exercised")

    assert (ran.code, strict.code) == (0, 3)
    assert read(tmp_path)["webhooks"][0]["verdict"] == "not-exercised"
    assert "It patched 4 recorded pods, none of which has a field" in ran.out


def test_a_webhook_that_never_patched_is_not_exercised(tmp_path: Path) -> None:
    recording = record(tmp_path, "needs-trigger", plain_pods())

    check(tmp_path, recording)

    webhook = read(tmp_path)["webhooks"][0]
    assert (webhook["verdict"], webhook["exercised"]) == ("not-exercised", False)
    assert webhook["sentence"].startswith("It patched none of 4 recorded requests")


def test_one_of_several_webhooks_is_chosen(tmp_path: Path) -> None:
    recording = record(tmp_path, "typed-round-trip-1.27", [mesh()])
    record(tmp_path, "perfect", [mesh()], other=True)

    ran = check(tmp_path, recording, "--webhook", "injector/other")

    assert ran.code == 0
    assert [each["name"] for each in read(tmp_path)["webhooks"]] == ["other"]
    both = check(tmp_path, recording)
    assert both.code == 1
    assert len(read(tmp_path)["webhooks"]) == 2


def test_it_can_judge_for_an_older_minor(tmp_path: Path) -> None:
    recording = record(tmp_path, "typed-round-trip-1.27", [mesh()])

    check(tmp_path, recording, "--target", "1.27")

    assert read(tmp_path)["webhooks"][0]["verdict"] == "at-risk"


@pytest.mark.parametrize(("severity", "code"), [("never", 0), ("critical", 1), ("info", 1)])
def test_the_exit_code_follows_the_severity(tmp_path: Path, severity: str, code: int) -> None:
    recording = record(tmp_path, "typed-round-trip-1.27", [mesh()])
    ran = check(tmp_path, recording, "--fail-on", severity)
    assert ran.code == code


async def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("empty", "missing"):
        ran = await check_as_users_do(tmp_path, tmp_path / path)
        assert ran.code == 2
        assert ran.err.startswith("webhook-fuzz: ")


async def test_webhooks_that_are_not_in_the_recording_are_said(tmp_path: Path) -> None:
    recording = record(tmp_path, "perfect", [mesh()])
    ran = await check_as_users_do(tmp_path, recording, "--webhook", "nobody")
    assert ran.code == 2
    assert "injector/mpod.example.com" in ran.err


def test_a_damaged_recording_is_read_on_and_said(tmp_path: Path) -> None:
    recording = record(tmp_path, "perfect", [mesh()])
    (segment,) = recording.iterdir()
    torn = segment.with_name("00-torn.jsonl.zst")
    torn.write_bytes(segment.read_bytes()[:-20])

    ran = check(tmp_path, recording)

    assert "read on behind it" in ran.err
    assert "1 place of the recording could not be read" in ran.out
    traffic = read(tmp_path).get("traffic")
    assert traffic is not None
    assert (traffic["exchanges"], traffic["damaged"]) == (1, 1)


@pytest.mark.parametrize(
    "specimen", ["typed-round-trip-1.27", "wrong-uid", "overwrites-value", "loses-annotations"]
)
def test_no_report_of_a_raw_recording_holds_a_secret(tmp_path: Path, specimen: str) -> None:
    pod = mesh()
    metadata, spec = pod["metadata"], pod["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    containers = spec["containers"]
    assert isinstance(containers, list)
    first = containers[0]
    assert isinstance(first, dict)
    metadata["annotations"] = {"example.com/token": SECRET}
    first["env"] = [{"name": "PASSWORD", "value": SECRET}]
    first["args"] = [f"--password={SECRET}", "serve"]
    recording = record(tmp_path, specimen, [pod])
    forms = ("junit", "sarif", "markdown")

    ran = check(tmp_path, recording, *(x for form in forms for x in ("--format", form)))

    assert read(tmp_path)["findings"]
    for path in (tmp_path / "out").iterdir():
        assert SECRET not in path.read_text("utf-8"), path
    assert SECRET not in ran.out + ran.err
