"""`webhook-fuzz replay`: recordings of the proxy's own sink, webhooks over real TLS."""

import json
from pathlib import Path
from typing import cast

import jsonschema
import pytest

from command_lines import Ran, run_cli
from hostile_servers import closed_port
from recordings_of_specimens import write_recording
from replayed import RECORDED_WEBHOOK, plain_pods
from sweeps_of_specimens import swept_keys
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.index_patches import diff
from webhook_fuzz.fuzzer.specimens.injections import edited
from webhook_fuzz.fuzzer.specimens.programs import Program, Specimen
from webhook_fuzz.fuzzer.specimens.replies import patch_once
from webhook_fuzz.fuzzer.specimens.serving import serve, serve_many
from webhook_fuzz.reports.comparisons import ComparisonResult
from webhook_fuzz.reports.replay_folds import ReplayResult
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.schemas import load_schema

LOSSY = get_specimen("typed-round-trip-1.27")
LOSSLESS = Specimen(
    name="lossless",
    description="Does to a pod what typed-round-trip does, and loses nothing.",
    program=patch_once(lambda pod: diff(pod, edited(pod, first=False))),
)


async def replay(folder: Path, *arguments: object) -> Ran:
    return await run_cli("replay", "--output", folder / "out", *arguments, cwd=folder)


def read(folder: Path, name: str) -> JsonObject:
    document: JsonObject = json.loads((folder / "out" / name).read_text("utf-8"))
    return document


def recording(folder: Path, program: Program, *, times: int = 1) -> Path:
    return write_recording(folder / "recording", program, plain_pods() * times)


class TestTrafficOfALossyWebhook:
    async def test_with_new_fields_finds_exactly_what_a_sweep_finds(self, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSY.program, times=5)
        async with serve(LOSSY) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--ca", running.ca_file),
                *("--format", "junit", "--format", "sarif"),
            )

        run = cast("RunResult", read(tmp_path, "run.json"))
        facts = cast("ReplayResult", read(tmp_path, "replay.json"))
        found = {(each["code"], each["field"]) for each in run["findings"]}
        (webhook,) = run["webhooks"]
        jsonschema.validate(run, load_schema())
        assert ran.code == 1
        assert found == swept_keys(LOSSY.name)
        assert webhook["verdict"] == "incompatible"
        assert (webhook["configuration"], webhook["name"]) == ("injector", "mpod.example.com")
        assert (facts["read"], facts["sent_as_recorded"], facts["enriched"]) == (20, 4, 4)
        assert "Replayed 4 different reviews of 20 recorded" in ran.out
        assert len(ran.out.splitlines()) <= 24
        assert {file.name for file in (tmp_path / "out").iterdir()} == {
            *("run.json", "report.html", "report.junit.xml", "report.sarif", "replay.json")
        }

    async def test_without_them_finds_nothing_and_says_that_none_was_tried(
        self, tmp_path: Path
    ) -> None:
        recorded = recording(tmp_path, LOSSY.program)
        async with serve(LOSSY) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--ca", running.ca_file, "--no-enrich"),
            )

        run = cast("RunResult", read(tmp_path, "run.json"))
        assert ran.code == 0
        assert run["findings"] == []
        assert run["webhooks"][0]["verdict"] == "not-exercised"
        assert "no new field was tried" in run["webhooks"][0]["sentence"]


async def test_a_clean_webhook_is_compatible_and_exits_0(tmp_path: Path) -> None:
    recorded = recording(tmp_path, LOSSLESS.program)
    async with serve(LOSSLESS) as running:
        ran = await replay(
            tmp_path, recorded, "--url", running.url, "--ca", running.ca_file, "--require-exercised"
        )

    assert ran.code == 0
    run = cast("RunResult", read(tmp_path, "run.json"))
    assert [webhook["verdict"] for webhook in run["webhooks"]] == ["compatible"]


async def test_a_webhook_that_acts_on_what_was_redacted_is_told_why_it_does_not(
    tmp_path: Path,
) -> None:
    def acts_on_a_path(review: JsonObject) -> bool:
        annotations = object_at(review, "metadata", "annotations")
        return annotations.get("vault.example.com/path") == "secret/data/shop/cart"

    acting = Specimen(
        name="acts-on-a-value",
        description="Acts where an annotation has one value, which recordings do not keep.",
        program=patch_once(
            lambda pod: diff(pod, edited(pod, first=False)) if acts_on_a_path(pod) else []
        ),
    )

    def annotated(pod: JsonObject, value: str) -> JsonObject:
        annotations: JsonObject = {"vault.example.com/path": value}
        return {**pod, "metadata": {**object_at(pod, "metadata"), "annotations": annotations}}

    recorded = write_recording(
        tmp_path / "recording",
        acting.program,
        [annotated(plain_pods()[0], "secret/data/shop/cart")],
        masked=lambda pod: annotated(pod, "redacted-1f2e3d4c"),
    )
    async with serve(acting) as running:
        ran = await replay(
            tmp_path, recorded, "--url", running.url, "--ca", running.ca_file, "--require-exercised"
        )

    run = cast("RunResult", read(tmp_path, "run.json"))
    assert ran.code == 3
    assert "--record-raw" in run["webhooks"][0]["sentence"]


class TestAgainstASecondWebhook:
    async def test_names_the_fields_lost_and_the_side_and_exits_1(self, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSY.program)
        async with serve_many([LOSSY, LOSSLESS]) as running:
            old, new = running[LOSSY.name], running[LOSSLESS.name]
            ran = await replay(
                tmp_path,
                *(recorded, "--url", old.url, "--against", new.url, "--ca", old.ca_file),
            )

        result = cast("ComparisonResult", read(tmp_path, "comparison.json"))
        sides = {each["field"]: each["side"] for each in result["fields"]}
        page = (tmp_path / "out" / "comparison.html").read_text("utf-8")
        assert ran.code == 1
        assert sides["spec.initContainers[].restartPolicy"] == "first-loses"
        assert "second-loses" not in sides.values()
        assert "only the first loses it" in ran.out
        assert len(ran.out.splitlines()) <= 30
        assert "initContainers[].restartPolicy" in page
        assert "<script" not in page

    @pytest.mark.parametrize("fail_on", ["error", "info"])
    async def test_that_is_the_same_exits_0(self, fail_on: str, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSY.program)
        async with serve(LOSSY) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--against", running.url),
                *("--ca", running.ca_file, "--fail-on", fail_on),
            )

        assert ran.code == 0
        assert "alike" in ran.out

    async def test_that_is_not_there_exits_3(self, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSY.program)
        async with serve(LOSSY) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--ca", running.ca_file),
                *("--against", f"https://127.0.0.1:{closed_port()}/mutate"),
            )

        assert ran.code == 3
        assert "was not there" in ran.out


class TestWhatIsSent:
    async def test_is_what_was_chosen_and_what_was_left_out_is_said(self, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSLESS.program)
        async with serve(LOSSLESS) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--ca", running.ca_file, "--limit", 3),
                *("--rate", 200, "--no-enrich"),
            )

        assert ran.code == 0
        assert "Left out 1: different reviews beyond the limit" in ran.out

    async def test_is_the_traffic_of_the_webhook_asked_for(self, tmp_path: Path) -> None:
        recorded = recording(tmp_path, LOSSLESS.program)
        other = WebhookIdentity(configuration="other", name="other.example.com", url="https://o/")
        write_recording(recorded, LOSSLESS.program, plain_pods()[:1], webhook=other)
        async with serve(LOSSLESS) as running:
            ran = await replay(
                tmp_path,
                *(recorded, "--url", running.url, "--ca", running.ca_file, "--no-enrich"),
                *("--webhook", "other/other.example.com"),
            )

        run = cast("RunResult", read(tmp_path, "run.json"))
        assert ran.code == 0
        assert run["webhooks"][0]["name"] == "other.example.com"
        assert run["webhooks"][0]["calls"] == 1


class TestInputThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["missing"], "missing"),
            (["empty"], "no recording"),
            (["recording", "--webhook", "nobody/else"], "injector/mpod.example.com"),
            (["recording", "--ca", "missing.pem"], "missing.pem"),
        ],
    )
    async def test_is_told_in_a_line_and_exits_2(
        self, arguments: list[str], said: str, tmp_path: Path
    ) -> None:
        recording(tmp_path, LOSSY.program)
        (tmp_path / "empty").mkdir()
        ran = await replay(tmp_path, *arguments, "--url", "https://127.0.0.1:1/")

        assert ran.code == 2
        assert said in ran.err
        assert ran.out == ""

    async def test_is_the_traffic_of_two_webhooks_where_none_was_chosen(
        self, tmp_path: Path
    ) -> None:
        recorded = recording(tmp_path, LOSSY.program)
        other = WebhookIdentity(configuration="other", name="other", url="https://other/")
        write_recording(recorded, LOSSY.program, plain_pods()[:1], webhook=other)
        ran = await replay(tmp_path, recorded, "--url", "https://127.0.0.1:1/")

        assert ran.code == 2
        assert f"{RECORDED_WEBHOOK.configuration}/{RECORDED_WEBHOOK.name}, other/other" in ran.err
        assert "--webhook" in ran.err


async def test_a_webhook_that_is_not_there_exits_3(tmp_path: Path) -> None:
    recorded = recording(tmp_path, LOSSY.program)
    ran = await replay(tmp_path, recorded, "--url", f"https://127.0.0.1:{closed_port()}/mutate")

    assert ran.code == 3
    assert "Nothing listens" in ran.out
