"""Answers as a cluster of a thousand nodes does: `python -m benchmarks.large_clusters NODES PODS`.

Each kubelet answers with a page of metrics of 300 kB, the API server with one of 5 MB. The port is
printed; it ends when its standard input does.
"""

import sys
import threading
from os import _exit

import orjson
from aiohttp import web

_LINE = 'kubelet_runtime_operations_duration_seconds_bucket{operation_type="x",le="%d"} 1\n'
_GATE = 'kubernetes_feature_enabled{name="SidecarContainers",stage="BETA"} 1\n'
_LINES = 3_700
_TIMES_LARGER = 16


def build_app(nodes: int, pods: int) -> web.Application:
    """The API server, as far as `webhook-fuzz doctor` asks it."""
    noise = "".join(_LINE % number for number in range(_LINES))
    page = (noise + _GATE).encode()
    own = (noise * _TIMES_LARGER + _GATE).encode()
    collections = {
        "/api/v1/nodes": [_node(number) for number in range(nodes)],
        "/api/v1/pods": [_pod(number, nodes) for number in range(pods)],
    }

    async def answer(request: web.Request) -> web.Response:
        path = request.path
        if path.endswith("/proxy/metrics"):
            return web.Response(body=page)
        if path == "/metrics":
            return web.Response(body=own)
        if path == "/version":
            return _json({"gitVersion": "v1.32.1", "major": "1", "minor": "32"})
        if request.method == "POST":
            return web.Response(body=await request.read(), content_type="application/json")
        start, limit = (int(request.query.get(key, 0)) for key in ("continue", "limit"))
        items = collections.get(path, [])
        rest = str(start + limit) if start + limit < len(items) else ""
        return _json({"metadata": {"continue": rest}, "items": items[start : start + limit]})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def _node(number: int) -> dict[str, object]:
    images = [{"names": [f"registry.example.com/image-{image}:1"]} for image in range(50)]
    return {
        "metadata": {"name": f"node-{number}", "labels": {"pool": f"p{number % 7}"}},
        "spec": {},
        "status": {
            "nodeInfo": {"kubeletVersion": f"v1.{29 + number % 4}.1"},
            "allocatable": {"pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": images,
        },
    }


def _pod(number: int, nodes: int) -> dict[str, object]:
    env = [{"name": f"VARIABLE_{each}", "value": "x" * 50} for each in range(60)]
    return {
        "metadata": {"name": f"pod-{number}", "namespace": "default"},
        "spec": {
            "nodeName": f"node-{number % nodes}",
            "containers": [{"name": "app", "image": "app:1", "env": env}],
        },
        "status": {"phase": "Running"},
    }


def _end_with_input() -> None:
    sys.stdin.read()
    _exit(0)


def _say(text: object) -> None:
    print(text, flush=True)


def main() -> None:
    """Serve on loopback until standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    nodes, pods = map(int, sys.argv[1:])
    web.run_app(build_app(nodes, pods), host="127.0.0.1", port=0, print=_say)


if __name__ == "__main__":
    main()
