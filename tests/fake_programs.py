"""Programs that stand in for etcd and kube-apiserver where starting and stopping is what is tested.

They are Python scripts with the flags of the real ones: this etcd waits, this kube-apiserver serves
HTTPS with a certificate it finds or makes in --cert-dir. `behave` is what goes wrong.
"""

import json
import sys
from pathlib import Path

from authorities import LOOPBACK, Authority
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms

ETCD = """\
import time
time.sleep(60)
"""
APISERVER = """\
import http.server, json, os, pathlib, shutil, ssl, sys

flags = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
settings = json.loads(os.environ["FAKE_APISERVER"])
folder = pathlib.Path(settings["folder"])
attempt = len(list(folder.glob("attempt-*")))
(folder / f"attempt-{attempt}").write_text("\\n".join([str(os.getpid()), *sys.argv[1:]]))
if attempt < settings["clashes"]:
    sys.exit("listen tcp 127.0.0.1: bind: address already in use")
if settings["dies_with"]:
    sys.exit(settings["dies_with"])
token = pathlib.Path(flags["token-auth-file"]).read_text().partition(",")[0]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == f"Bearer {token}"
        lacking = settings["no_service_accounts"] and "serviceaccounts" in self.path
        self.send_response(200 if known and not (lacking or settings["unready"]) else 500)
        self.end_headers()
        self.wfile.write(b'{"gitVersion": "v1.99.0"}')

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(settings["certificate"], settings["key"])
server.socket = context.wrap_socket(server.socket, server_side=True)
target = pathlib.Path(flags["cert-dir"]) / "apiserver.crt"
target.parent.mkdir()
shutil.copy(settings["authority"], target)
server.serve_forever()
"""


def fake_programs(folder: Path) -> ControlPlanePrograms:
    """The programs; what they are to do is in `fake_environment`."""
    commands: list[list[str | Path]] = []
    for name, text in (("etcd", ETCD), ("apiserver", APISERVER)):
        script = folder / f"{name}.py"
        script.write_text(text)
        commands.append([sys.executable, script])
    etcd, apiserver = commands
    return ControlPlanePrograms(etcd=etcd, apiserver=apiserver, controller_manager=etcd)


def fake_environment(
    folder: Path,
    *,
    clashes: int = 0,
    dies_with: str = "",
    unready: bool = False,
    no_service_accounts: bool = False,
) -> str:
    """The value of FAKE_APISERVER.

    `clashes`: how often its port is taken; `dies_with`: its last words; `unready`: it answers 500;
    `no_service_accounts`: there is never one.
    """
    authority = Authority(folder / "authority")
    served = authority.issue(*LOOPBACK)
    return json.dumps(
        {
            "folder": str(folder),
            "authority": str(authority.ca_file),
            "certificate": str(served.cert_file),
            "key": str(served.key_file),
            "clashes": clashes,
            "dies_with": dies_with,
            "unready": unready,
            "no_service_accounts": no_service_accounts,
        }
    )
