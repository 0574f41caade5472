"""Answers as kubelets do, as scripted: run by fake_kubelets.py inside a network namespace.

usage: kubelet_servers.py HOST CERT KEY SCRIPT

SCRIPT is JSON: {"10250": {"status": 200, "body": "..."}, ...}. It says `ready` when all ports are
listening, and ends when its standard input does, so that it outlives nobody.
"""

import http.server
import json
import ssl
import sys
import threading
from pathlib import Path


def serve(host: str, port: int, context: ssl.SSLContext, answer: dict[str, object]) -> None:
    """Answer every request to a port in the same manner."""
    body = str(answer["body"]).encode()
    status = int(str(answer["status"]))

    class Kubelet(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Keep standard error for what goes wrong."""

    server = http.server.ThreadingHTTPServer((host, port), Kubelet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Serve all ports until standard input ends."""
    host, cert, key, script = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for port, answer in json.loads(Path(script).read_text("utf-8")).items():
        serve(host, int(port), context, answer)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
