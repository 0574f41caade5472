"""`webhook-fuzz run`: what bad input and bad webhooks come to, and what a good run writes."""

import base64
import datetime as dt
import json
import resource
from pathlib import Path
from typing import cast

import jsonschema
import pytest

from authorities import LOOPBACK, Authority
from command_lines import Ran, run_cli
from hostile_servers import (
    Behaviour,
    Conversation,
    answers_endlessly,
    closed_port,
    never_answers,
    serve_raw,
    talks_garbage,
)
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.serving import serve
from webhook_fuzz.fuzzer.specimens.triggered import TRIGGER
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.schemas import load_schema


async def run(folder: Path, *arguments: object) -> Ran:
    return await run_cli("run", "--output", folder / "out", *arguments, cwd=folder)


def result(folder: Path) -> RunResult:
    return cast("RunResult", json.loads((folder / "out" / "run.json").read_text("utf-8")))


async def answers_html(talk: Conversation) -> None:
    await talk.answer(b"<html>Sign in</html>")


async def answers_500(talk: Conversation) -> None:
    await talk.answer(b"no", status="500 Internal Server Error")


def patch_bomb() -> bytes:
    """A patch that doubles what it copied, forty times over."""
    doubling = [{"op": "copy", "from": "/metadata", "path": f"/metadata/a{n}"} for n in range(40)]
    return json.dumps(doubling).encode()


async def answers_with_a_patch_bomb(talk: Conversation) -> None:

    uid = json.loads(talk.body)["request"]["uid"]
    response = {
        "uid": uid,
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(patch_bomb()).decode(),
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    await talk.answer(json.dumps(review).encode())


class TestInputThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--url", "http://127.0.0.1:1/mutate"], "https://"),
            (["--url", "nonsense"], "https://"),
            (["--url", "https://127.0.0.1:1/", "--ca", "missing.pem"], "missing.pem"),
            (["--url", "https://127.0.0.1:1/", "--ca", "text"], "no CA certificate"),
            (["--url", "https://127.0.0.1:1/", "--pods", "missing"], "missing"),
            (["--url", "https://127.0.0.1:1/", "--pods", "broken.yaml"], "broken.yaml"),
            (["--url", "https://127.0.0.1:1/", "--trigger", "vaul"], "vault"),
            (["--url", "https://127.0.0.1:1/", "--trigger", "broken.yaml"], "broken.yaml"),
            (["--url", "https://127.0.0.1:1/", "--target", "1.99"], "1.99"),
            (["--url", "https://127.0.0.1:1/", "--target", "new"], "new"),
            (["--url", "https://127.0.0.1:1/", "--timeout", "900"], "900"),
            ([], "--url"),
        ],
    )
    async def test_is_told_in_a_line_and_exits_2(
        self, arguments: list[str], said: str, tmp_path: Path
    ) -> None:
        (tmp_path / "text").write_text("hello\n")
        (tmp_path / "broken.yaml").write_text("pods: [\n")
        ran = await run(tmp_path, *arguments)

        assert ran.code == 2
        assert said in ran.err
        assert ran.out == ""

    async def test_an_output_folder_that_cannot_be_written_is_told_before_anything_is_sent(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "out").write_text("a file, not a folder")
        ran = await run(tmp_path, "--url", "https://127.0.0.1:1/")

        assert ran.code == 2
        assert "--output" in ran.err


class TestAWebhookThatCannotBeReached:
    async def test_exits_3_and_says_that_nothing_listens(self, tmp_path: Path) -> None:
        ran = await run(tmp_path, "--url", f"https://127.0.0.1:{closed_port()}/mutate")

        assert ran.code == 3
        assert "Nothing listens" in ran.out
        assert result(tmp_path)["webhooks"][0]["verdict"] == "unreachable"

    @pytest.mark.parametrize(
        ("names", "age", "kind"),
        [
            (LOOPBACK, dt.timedelta(days=3), "tls-expired"),
            (("elsewhere.example.com",), dt.timedelta(hours=1), "tls-name"),
        ],
        ids=["expired", "another name"],
    )
    async def test_says_what_is_wrong_with_its_certificate(
        self, names: tuple[str, ...], age: dt.timedelta, kind: str, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path / "ca")
        credential = authority.issue(*names, age=age)
        async with serve_raw(answers_html, credential.server_context()) as server:
            ran = await run(tmp_path, "--url", server.url(), "--ca", authority.ca_file)

        assert ran.code == 3
        assert kind in ran.out


class TestAWebhookThatAnswersBadly:
    @pytest.mark.parametrize(
        ("behaviour", "code"),
        [
            (answers_html, "WF003"),
            (answers_500, "WF002"),
            (talks_garbage, "WF003"),
            (answers_endlessly(200 * 1024 * 1024), "WF403"),
            (answers_with_a_patch_bomb, "WF005"),
        ],
        ids=["HTML", "500", "garbage", "200 MB", "a patch bomb"],
    )
    async def test_is_a_finding_and_exits_1(
        self, behaviour: Behaviour, code: str, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path / "ca")
        credential = authority.issue(*LOOPBACK)
        async with serve_raw(behaviour, credential.server_context()) as server:
            ran = await run(
                tmp_path, "--url", server.url(), "--ca", authority.ca_file, "--trigger", "none"
            )

        assert ran.code == 1
        assert {finding["code"] for finding in result(tmp_path)["findings"]} == {code}
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        assert peak_mib < 600

    async def test_that_never_answers_is_given_up_after_two_calls(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path / "ca")
        credential = authority.issue(*LOOPBACK)
        async with serve_raw(never_answers, credential.server_context()) as server:
            url, ca = server.url(), authority.ca_file
            ran = await run(tmp_path, "--url", url, "--ca", ca, "--timeout", "0.5")

        assert ran.code == 3
        assert result(tmp_path)["webhooks"][0]["calls"] == 2


class TestAGoodRun:
    async def test_writes_a_result_that_matches_its_schema(self, tmp_path: Path) -> None:
        async with serve(get_specimen("typed-round-trip-1.27")) as running:
            ran = await run(
                tmp_path,
                *("--url", running.url, "--ca", running.ca_file, "--trigger", "none"),
                *("--name", "injector/mpod.example.com", "--target", "1.29"),
                *("--format", "junit", "--format", "sarif", "--format", "markdown"),
            )

        run_result = result(tmp_path)
        webhook = run_result["webhooks"][0]
        jsonschema.validate(run_result, load_schema())
        assert ran.code == 1
        assert (webhook["configuration"], webhook["name"]) == ("injector", "mpod.example.com")
        assert webhook["verdict"] == "incompatible"
        assert "spec.initContainers[].restartPolicy" in webhook["lost_fields"]
        assert (webhook["oldest_lost"], webhook["newest_kept"]) == ("1.28", "1.27")
        assert {file.name for file in (tmp_path / "out").iterdir()} == {
            *("run.json", "report.html", "report.junit.xml", "report.sarif", "report.md")
        }

    async def test_a_target_older_than_what_is_lost_is_a_risk_with_the_release_named(
        self, tmp_path: Path
    ) -> None:
        async with serve(get_specimen("typed-round-trip-1.27")) as running:
            ran = await run(
                tmp_path,
                *("--url", running.url, "--ca", running.ca_file, "--trigger", "none"),
                *("--target", "1.27", "--fail-on", "never"),
            )

        webhook = result(tmp_path)["webhooks"][0]
        assert ran.code == 0
        assert webhook["verdict"] == "at-risk"
        assert webhook["breaks_in"] == "1.28"

    async def test_a_faultless_webhook_is_compatible_and_exits_0(self, tmp_path: Path) -> None:
        async with serve(get_specimen("perfect")) as running:
            ran = await run(
                tmp_path,
                *("--url", running.url, "--ca", running.ca_file, "--trigger", "none"),
                "--require-exercised",
            )

        assert ran.code == 0
        assert result(tmp_path)["webhooks"][0]["verdict"] == "compatible"
        assert result(tmp_path)["findings"] == []

    async def test_the_same_seed_gives_the_same_result(self, tmp_path: Path) -> None:
        seen: list[RunResult] = []
        async with serve(get_specimen("list-replacement")) as running:
            for _ in range(2):
                url, ca = running.url, running.ca_file
                await run(tmp_path, "--url", url, "--ca", ca, "--trigger", "none", "--seed", "7")
                seen.append(result(tmp_path))

        assert seen[0]["findings"] == seen[1]["findings"]


class TestAWebhookThatWaitsForATrigger:
    async def test_is_not_exercised_without_it_and_exits_3_if_that_is_required(
        self, tmp_path: Path
    ) -> None:
        async with serve(get_specimen("needs-trigger")) as running:
            where = ("--url", running.url, "--ca", running.ca_file, "--trigger", "vault")
            lenient = await run(tmp_path, *where)
            strict = await run(tmp_path, *where, "--require-exercised")

        assert (lenient.code, strict.code) == (0, 3)
        assert result(tmp_path)["webhooks"][0]["verdict"] == "not-exercised"
        assert "nothing is known about it" in strict.out

    async def test_is_judged_with_a_trigger_from_a_file(self, tmp_path: Path) -> None:
        triggers = {"triggers": [{"name": "mine", "annotations": {TRIGGER: "true"}}]}
        (tmp_path / "mine.yaml").write_text(json.dumps(triggers))
        async with serve(get_specimen("needs-trigger")) as running:
            url, ca = running.url, running.ca_file
            ran = await run(tmp_path, "--url", url, "--ca", ca, "--trigger", "mine.yaml")

        effects = {
            done["trigger"]: done["effect"] for done in result(tmp_path)["coverage"][0]["triggers"]
        }
        assert ran.code == 1
        assert effects == {"none": "no-patch", "mine": "acts"}


class TestTheUsersOwnPods:
    async def test_are_sent_as_they_are_and_redacted_in_the_result(self, tmp_path: Path) -> None:
        secret = "hunter2-hunter2"
        container = {"name": "app", "image": "a", "env": [{"name": "PASSWORD", "value": secret}]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "mine", "annotations": {"example.com/token": secret * 2}},
            "spec": {"containers": [container]},
        }
        (tmp_path / "pod.yaml").write_text(json.dumps(pod))
        async with serve(get_specimen("list-replacement")) as running:
            await run(
                tmp_path,
                *("--url", running.url, "--ca", running.ca_file, "--trigger", "none"),
                *("--pods", "pod.yaml", "--format", "markdown", "--format", "sarif"),
            )

        written = [file.read_text("utf-8") for file in (tmp_path / "out").iterdir()]
        assert len(written) == 4
        assert not any(secret in text for text in written)
