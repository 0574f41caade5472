import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from authorities import Authority
from command_lines import Ran, run_cli
from proxies import (
    SECRET,
    Caller,
    children_of,
    get,
    read_recording,
    recorded_uids,
    serve_webhook,
    until,
)
from proxy_commands import StartedProxy, start_proxy
from webhook_fuzz.fuzzer.cli.commands import main


async def test_what_passed_is_in_the_recording_and_nothing_of_it_in_the_logs(
    tmp_path: Path,
) -> None:
    async with serve_webhook(tmp_path / "webhook") as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        async with start_proxy(tmp_path, *upstream, "--recording", tmp_path / "rec") as proxy:
            async with Caller.open(proxy.address, proxy.ca_pem) as caller:
                assert [await caller.call(uid) for uid in ("a", "b")] == [200, 200]
            assert await proxy.stop() == 0

    assert recorded_uids(tmp_path / "rec") == ["a", "b"]
    assert proxy.lines[-1]["exchanges"] == 2
    assert SECRET not in str(proxy.lines)
    assert SECRET not in str(read_recording(tmp_path / "rec"))


async def test_sigterm_under_load_loses_no_answered_call(tmp_path: Path) -> None:
    async with serve_webhook(tmp_path / "webhook") as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        options = ("--recording", tmp_path / "rec", "--workers", 2)
        async with (
            start_proxy(tmp_path, *upstream, *options) as proxy,
            Caller.open(proxy.address, proxy.ca_pem) as caller,
        ):
            calling = [asyncio.create_task(caller.call_on(f"c{n}")) for n in range(8)]
            await until(lambda: len(caller.answered) > 200)
            assert await proxy.stop() == 0
            await asyncio.gather(*calling)

    recorded = recorded_uids(tmp_path / "rec")
    assert len(recorded) == len(set(recorded)) == proxy.lines[-1]["exchanges"]
    assert set(caller.answered) <= set(recorded)


async def test_no_process_is_left_when_the_proxy_is_killed_and_the_recording_can_be_read(
    tmp_path: Path,
) -> None:
    async with serve_webhook(tmp_path / "webhook") as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        options = ("--recording", tmp_path / "rec", "--workers", 2, "--drain", "2s")
        async with start_proxy(tmp_path, *upstream, *options) as proxy:
            async with Caller.open(proxy.address, proxy.ca_pem) as caller:
                assert await caller.call("a") == 200
            children = children_of(proxy.process.pid)
            assert len(children) == 3
            proxy.process.kill()
            await proxy.process.wait()
            await until(lambda: not any(_is_alive(pid) for pid in children))

    assert recorded_uids(tmp_path / "rec") == ["a"]


async def test_a_full_disk_costs_records_and_no_review(tmp_path: Path) -> None:
    """Files of 100 KiB at most: what is written beyond fails as on a disk without room."""
    async with serve_webhook(tmp_path / "webhook") as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        options = ("--recording", tmp_path / "rec", "--metrics", "127.0.0.1:0")
        async with start_proxy(tmp_path, *upstream, *options, limits="-f 100") as proxy:
            async with Caller.open(proxy.address, proxy.ca_pem) as caller:
                for frame in (1, 2):
                    for number in range(60):
                        uid = f"{frame}-{number}-{os.urandom(1024).hex()}"
                        assert await caller.call(uid) == 200
                    async with asyncio.timeout(30):
                        while sum(await _records(proxy)) < 60 * frame:  # noqa: ASYNC110
                            await asyncio.sleep(0.1)
            assert (await get(proxy.admin_address, "/readyz"))[0] == 200
            written, failed = await _records(proxy)
            assert await proxy.stop() == 0

    assert failed > 0
    recorded = recorded_uids(tmp_path / "rec")
    assert 0 < len(recorded) == len(set(recorded)) == written
    assert "nothing can be recorded in" in str(proxy.lines)


async def _records(proxy: StartedProxy) -> tuple[int, int]:
    """How many were written, and how many failed."""
    _, metrics = await get(proxy.admin_address, "/metrics")
    written, failed = (
        re.findall(rf'records_{what}_total\{{sink="recording"\}} (\d+)', metrics)
        for what in ("written", "failed")
    )
    return int(written[0]), int(failed[0])


async def test_health_and_metrics_are_where_they_were_asked_for(tmp_path: Path) -> None:
    async with serve_webhook(tmp_path / "webhook") as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        options = ("--recording", tmp_path / "rec", "--metrics", "127.0.0.1:0")
        async with start_proxy(tmp_path, *upstream, *options) as proxy:
            assert await get(proxy.admin_address, "/readyz") == (200, "ok\n")
            status, text = await get(proxy.admin_address, "/metrics")
            assert status == 200
            assert 'records_written_total{sink="recording"} 0.0' in text
            assert await proxy.stop(signal.SIGINT) == 0


async def test_people_are_told_where_everything_is_and_what_was_done(tmp_path: Path) -> None:
    async with serve_webhook(tmp_path / "webhook") as webhook:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *("--upstream", webhook.url, "--upstream-ca", str(webhook.ca_file)),
            *("--listen", "127.0.0.1:0", "--recording", "rec", "--record-raw"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        )
        assert process.stdout is not None
        said = ""
        while "Stop " not in said:
            said += (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), 30)

    authority = tmp_path / "state" / "webhook-fuzz" / "certificates" / "ca.pem"
    assert "Listening    https://127.0.0.1:" in said
    assert f"base64 < {authority} | tr -d '\\n'" in said
    assert "Recording    rec" in said
    assert "0 calls in" in out.decode()
    assert "every secret" in err.decode()
    assert process.returncode == 0


_COMMAND = (sys.executable, "-m", "webhook_fuzz", "proxy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--upstream URL"),
        (("--upstream", "https://127.0.0.1:1"), "--recording DIR"),
        (("--upstream", "http://a", "--recording", "r"), "https"),
        (("--upstream", "https://a", "--routes", "f", "--recording", "r"), "--routes FILE"),
        (("--routes", "missing.yaml", "--recording", "r"), "missing.yaml cannot be read"),
        (("--upstream", "https://a", "--recording", "r", "--tls-cert", "c"), "--tls-key"),
        (("--upstream", "https://a", "--judge", "--record-raw"), "--record-raw needs"),
        (("--upstream", "https://a", "--recording", "r", "--listen", "a"), "not HOST:PORT"),
        (("--upstream", "https://a", "--recording", "r", "--rotate-size", "9x"), "no size"),
        (("--upstream", "https://a", "--recording", "r", "--drain", "9x"), "no duration"),
        (("--upstream", "https://a", "--recording", "r", "--allow-from", "x"), "--allow-from x"),
        (("--upstream", "https://a", "--recording", "r", "--client-ca", "x"), "x cannot be read"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line_and_nothing_is_begun(
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["webhook-fuzz", "proxy", *arguments, "--certificates", "c"]
    monkeypatch.setattr("sys.argv", given)

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "r").exists()


async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = await _run_once(tmp_path, "--listen", address)

    assert ran.code == 3
    assert f"{address}: cannot listen there" in ran.err


async def test_a_key_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    pair = Authority(tmp_path / "a").issue("localhost")
    (tmp_path / "key").write_text("nothing")
    ran = await _run_once(tmp_path, "--tls-cert", pair.cert_file, "--tls-key", tmp_path / "key")

    assert ran.code == 2
    assert "the key cannot be read" in ran.err


async def test_a_recording_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("")
    ran = await _run_once(tmp_path)

    assert ran.code == 2
    assert len(ran.err.splitlines()) <= 4


async def _run_once(tmp_path: Path, *arguments: object) -> Ran:
    given = ("--listen", "127.0.0.1:0") if "--listen" not in arguments else ()
    return await run_cli(
        *("proxy", "--upstream", "https://127.0.0.1:1", "--recording", "r", *given),
        *("--certificates", tmp_path / "c", *arguments),
        cwd=tmp_path,
    )


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
