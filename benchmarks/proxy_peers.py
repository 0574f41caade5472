"""What is put between client and webhook, and how is each of them started?

All of them are processes of their own that speak TLS on both sides and verify the webhook. nginx is
the webhook, too: it answers every POST with the same AdmissionReview, as fast as anything does.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhook_fuzz.proxy.certificates.authorities import create_authority

MITMPROXY: Final = "mitmproxy==11.0.2"
"""The newest release that runs on every Python we do."""

_ROOT: Final = Path(__file__).parents[1]
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 30.0
_SAID_SECONDS: Final = 1.5
_PACKAGES: Final = {"nginx": "nginx-light", "wrk": "wrk", "h2load": "nghttp2-client"}
"""The programs that are needed, and the Debian packages they are in."""
_DAY: Final = 86_400.0
_ANSWER: Final = (
    '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":'
    '"00000000-0000-4000-8000-000000000000","allowed":true,"patchType":"JSONPatch","patch":"'
    f'{"Q" * 600}"}}}}'
)
# Buffers large enough that no body goes through a file, and connections that are never given up.
_NGINX: Final = """
worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_buffer_size 64k; client_max_body_size 16m; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {server}
}}
"""
_WEBHOOK: Final = (
    "server {{ listen 127.0.0.1:{port} ssl; location / {{ return 200 '{answer}'; }} }}"
)
_REVERSE: Final = """
upstream webhook {{
  server 127.0.0.1:{webhook}; keepalive 128;
  keepalive_requests 1000000000; keepalive_timeout 1h;
}}
server {{ listen 127.0.0.1:{port} ssl; location / {{
  proxy_pass https://webhook; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $http_host; proxy_ssl_name localhost; proxy_ssl_server_name on;
  proxy_ssl_trusted_certificate {folder}/ca.pem; proxy_ssl_verify on;
}} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a proxy of ours says of its exchanges, since it began."""

    exchanges: int
    written: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Something that answers at a port of 127.0.0.1; `metrics` is 0 unless it is ours."""

    port: int
    metrics: int = 0

    @property
    def url(self) -> str:
        """Where a review is sent."""
        return f"https://127.0.0.1:{self.port}/mutate?timeout=10s"

    def counts(self) -> Counts:
        """What it counted, when nothing waits to be written any more."""
        deadline = time.monotonic() + _STOP_SECONDS
        before, counts = None, self._read_counts()
        # Every process says its numbers once a second: those of one moment may not fit together.
        while before != counts or counts.written + counts.dropped < counts.exchanges:
            if time.monotonic() > deadline:
                break
            time.sleep(_SAID_SECONDS)
            before, counts = counts, self._read_counts()
        return counts

    def settle(self) -> None:
        """Wait until it does nothing any more for what it was sent."""
        if self.metrics:
            self.counts()

    def _read_counts(self) -> Counts:
        url = f"http://127.0.0.1:{self.metrics}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        found = {"exchanges": 0.0, "records_written": 0.0, "dropped": 0.0}
        for line in lines:
            for name in found:
                if line.startswith(f"webhook_fuzz_proxy_{name}_total{{"):
                    found[name] += float(line.rpartition(" ")[2])
        return Counts(
            exchanges=int(found["exchanges"]),
            written=int(found["records_written"]),
            dropped=int(found["dropped"]),
        )


def missing_programs() -> list[str]:
    """The programs that are needed and not installed."""
    return [name for name in _PACKAGES if _find(name) is None]


def install_programs() -> None:
    """Install what is missing, as root on Debian; elsewhere say how. Raises SystemExit then."""
    missing = missing_programs()
    if not missing:
        return
    packages = [_PACKAGES[name] for name in missing]
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SystemExit(f"Measuring the proxy needs {', '.join(missing)}: {' '.join(command)}")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words


def make_certificates(folder: Path) -> None:
    """`ca.pem`, and `cert.pem` and `key.pem` for this machine, in the folder."""
    authority = create_authority(now=time.time(), seconds=_DAY)
    pair = authority.issue(["localhost", "127.0.0.1"], now=time.time(), seconds=_DAY)
    (folder / "ca.pem").write_bytes(authority.ca_pem)
    (folder / "cert.pem").write_bytes(pair.chain_pem)
    key = folder / "key.pem"
    key.touch(mode=0o600)
    key.write_bytes(pair.key_pem)


@contextlib.contextmanager
def webhook(folder: Path) -> Generator[Peer]:
    """The webhook: two workers, the same answer to everything."""
    port = _free_port()
    with _nginx(folder, "webhook", _WEBHOOK.format(port=port, answer=_ANSWER), port) as peer:
        yield peer


@contextlib.contextmanager
def nginx(folder: Path, behind: Peer) -> Generator[Peer]:
    """A reverse proxy with two workers."""
    port = _free_port()
    server = _REVERSE.format(port=port, webhook=behind.port, folder=folder / "nginx")
    with _nginx(folder, "nginx", server, port) as peer:
        yield peer


@contextlib.contextmanager
def mitmproxy(folder: Path, behind: Peer) -> Generator[Peer]:
    """Mitmproxy as a reverse proxy; it keeps every flow in memory unless it is told not to."""
    port, settings = _free_port(), folder / "mitmproxy"
    settings.mkdir()
    both = (folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes()
    pair = settings / "pair.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(both)
    command: list[str | Path] = [
        *(_mitmdump(), "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *("--mode", f"reverse:https://localhost:{behind.port}", "--set", f"confdir={settings}"),
        *("--set", "flow_detail=0", "--certs", f"*={pair}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}"),
        *("--set", "stream_large_bodies=1m"),
    ]
    with _running(command, port, folder / "mitmproxy.log"):
        yield Peer(port=port)


@contextlib.contextmanager
def ours(folder: Path, behind: Peer, *, workers: int) -> Generator[Peer]:
    """The public command, recording with redaction."""
    port, metrics = _free_port(), _free_port()
    own = folder / f"ours-{workers}"
    own.mkdir()
    command: list[str | Path] = [
        *(sys.executable, "-m", "webhook_fuzz", "proxy"),
        *("--upstream", f"https://127.0.0.1:{behind.port}", "--upstream-ca", folder / "ca.pem"),
        *("--upstream-server-name", "localhost", "--listen", f"127.0.0.1:{port}"),
        *("--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"),
        *("--recording", own / "recording", "--workers", str(workers)),
        *("--metrics", f"127.0.0.1:{metrics}"),
    ]
    with _running(command, port, own / "log"):
        yield Peer(port=port, metrics=metrics)


def mitmproxy_is_there() -> bool:
    """Whether its environment was made before."""
    return _mitmdump().exists()


def make_mitmproxy() -> None:
    """Make an environment of its own for mitmproxy, under the cache folder: it pins much."""
    if mitmproxy_is_there():
        return
    folder = _mitmproxy_folder()
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", MITMPROXY]
    subprocess.run(pip, check=True)  # noqa: S603 - fixed words


def _mitmproxy_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "webhook-fuzz" / "benchmarks" / MITMPROXY.replace("==", "-")


def _mitmdump() -> Path:
    return _mitmproxy_folder() / "bin" / "mitmdump"


@contextlib.contextmanager
def _nginx(folder: Path, name: str, server: str, port: int) -> Generator[Peer]:
    own = folder / name
    own.mkdir()
    for file in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(folder / file, own / file)
    configuration = own / "nginx.conf"
    configuration.write_text(_NGINX.format(workers=2, folder=own, server=server))
    command: list[str | Path] = [program("nginx"), "-c", configuration, "-p", own]
    with _running(command, port, own / "log"):
        yield Peer(port=port)


def program(name: str) -> str:
    """Where a program is that was looked for before."""
    return _find(name) or name


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def _running(command: Sequence[str | Path], port: int, log: Path) -> Generator[None]:
    """A program that listens at the port; it is told to stop at the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output)  # noqa: S603 - ours
    try:
        _wait(process, port, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
