import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from planted_secrets import answer_of, exchange
from proxies import children_of, read_recording, refuse, until
from slow_sinks import SlowFactory
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.proxy.recorder.feeds import Feed
from webhook_fuzz.proxy.recorder.sink_processes import SinkProcess

CALL = exchange(b'{"request":{"uid":"u"}}', answer_of(b"{}"))


OWNER = """
import asyncio, pathlib, sys
from slow_sinks import SlowFactory
from webhook_fuzz.proxy.recorder.sink_processes import SinkProcess

async def own():
    await SinkProcess("s", SlowFactory(), folder=pathlib.Path(sys.argv[1])).start()
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(own())
"""


async def test_what_is_observed_is_in_the_recording(tmp_path: Path) -> None:
    process = SinkProcess("r", RecordingSinkFactory(folder=tmp_path / "out"), folder=tmp_path)
    await process.start()
    feed = await Feed.open(process.address)
    for _ in range(500):
        feed.observe(CALL)
    await feed.close(seconds=10)
    counts = {each.name: each.value for each in await process.stop(seconds=10)}
    assert (feed.sent, feed.dropped, feed.queued_bytes) == (500, 0, 0)
    assert counts["records_written"] == 500
    assert len(read_recording(tmp_path / "out")) == 500


async def test_a_sink_that_refuses_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another version"):
        await SinkProcess("r", refuse, folder=tmp_path).start()


async def test_a_killed_sink_costs_what_it_held_and_feeds_come_again(tmp_path: Path) -> None:
    factory = RecordingSinkFactory(folder=tmp_path / "out")
    process = SinkProcess("r", factory, folder=tmp_path)
    before = children_of(os.getpid())
    await process.start()
    (pid,) = children_of(os.getpid()) - before
    feed = await Feed.open(process.address)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(10):
        feed.observe(CALL)
    await until(lambda: feed.queued_bytes == 0)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: feed.dropped == 10)
    await process.stop(seconds=1)
    again = SinkProcess("r", factory, folder=tmp_path)
    await again.start()
    for _ in range(7):
        feed.observe(CALL)
    await until(lambda: feed.sent == 7)
    await feed.close(seconds=5)
    await again.stop(seconds=5)
    assert (feed.sent, feed.dropped) == (7, 10)


async def test_a_stop_works_off_everything_and_a_slow_sink_bounds_the_queue(tmp_path: Path) -> None:
    process = SinkProcess("s", SlowFactory(), folder=tmp_path)
    await process.start()
    feed = await Feed.open(process.address, most_bytes=100_000)
    large = exchange(bytes(20_000), answer_of(b"{}"))
    most = 0
    for _ in range(200):
        feed.observe(large)
        most = max(most, feed.queued_bytes)
    await feed.close(seconds=10)
    (taken, *_) = await process.stop(seconds=10)
    assert most <= 100_000
    assert feed.dropped > 0
    assert feed.sent + feed.dropped == 200
    assert taken.value == feed.sent


async def test_the_process_ends_when_its_owner_is_gone(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"started\n"
    (sink,) = children_of(owner.pid)
    owner.kill()
    await owner.wait()
    await until(lambda: not is_running(sink))


def is_running(pid: int) -> bool:
    """Whether it is there, and not only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
