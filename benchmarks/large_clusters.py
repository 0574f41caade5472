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
_WEBHOOKS = 300
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


def build_app(nodes: int, pods: int) -> web.Application:
    """The API server, as far as `webhook-fuzz doctor` asks it."""
    noise = "".join(_LINE % number for number in range(_LINES))
    page = (noise + _GATE).encode()
    own = (noise * _TIMES_LARGER + _GATE).encode()
    collections = {
        "/api/v1/nodes": [_node(number) for number in range(nodes)],
        "/api/v1/pods": [_pod(number, nodes) for number in range(pods)],
        "/api/v1/namespaces": [_namespace(number) for number in range(_WEBHOOKS)],
        CONFIGURATIONS: [_configuration(number) for number in range(_WEBHOOKS)],
    }
    services = {
        f"/api/v1/namespaces/ns-{number}/services/hook": _service() for number in range(_WEBHOOKS)
    }

    async def answer(request: web.Request) -> web.Response:
        path = request.path
        if path.endswith("/metrics"):
            return web.Response(body=own if path == "/metrics" else page)
        if request.method == "POST":
            return web.Response(body=await request.read(), content_type="application/json")
        if path == "/version":
            return _json({"gitVersion": "v1.32.1", "major": "1", "minor": "32"})
        if path.startswith("/api/v1/namespaces/"):
            return _json(services.get(path, _namespace(0)))
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


def _namespace(number: int) -> dict[str, object]:
    name = f"ns-{number}"
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}


def _service() -> dict[str, object]:
    return {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}}


def _configuration(number: int) -> dict[str, object]:
    """A webhook as they are found: a selector, a condition, a service of its own."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    service = {"namespace": f"ns-{number}", "name": "hook", "path": "/mutate"}
    webhook = {
        "name": f"hook-{number}.example.com",
        "clientConfig": {"service": service},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {f"inject-{number % 7}": "true"}},
        "matchConditions": [
            {"name": "wanted", "expression": "!('skip' in object.metadata.?labels.orValue({}))"}
        ],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    return {"metadata": {"name": f"hook-{number:03}"}, "webhooks": [webhook]}


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
