"""Recording, judging and shadowing in one proxy, as its users run it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson

from planted_secrets import CANARIES, spellings
from proxies import Caller, get, recorded_uids, serve_webhook
from proxy_commands import StartedProxy, start_proxy
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review, encode_review
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

CALLS = 20


def pod() -> JsonObject:
    """One with a native sidecar, and with secrets in all the places a pod has."""
    (seed,) = (each for each in load_shipped_seeds() if each.name == "native-sidecars")
    seeded: Any = json.loads(json.dumps(default_pod(seed.pod)))
    seeded["metadata"]["annotations"] = {"example.com/key": CANARIES["annotation"]}
    for container in seeded["spec"]["containers"]:
        container["env"] = [{"name": "PASSWORD", "value": CANARIES["env"]}]
        container["args"] = [f"--password={CANARIES['option']}"]
    made: JsonObject = seeded
    return made


async def call(proxy: StartedProxy, number: int) -> None:
    async with Caller.open(proxy.address, proxy.ca_pem) as caller:
        for each in range(number):
            options = ReviewOptions(api_server=Minor(1, 37), uid=f"u-{each}", dry_run=False)
            body = encode_review(build_review(pod(), options))
            headers = {"Authorization": f"Bearer {CANARIES['authorization']}"}
            async with caller.session.post(
                caller.url, data=body, headers=headers, ssl=caller.tls
            ) as answer:
                assert answer.status == 200, await answer.text()


async def test_what_a_webhook_loses_is_found_while_calls_pass(tmp_path: Path) -> None:
    specimen = get_specimen("typed-round-trip-1.27")
    async with serve_webhook(tmp_path / "webhook", specimen.program) as webhook:
        options = (
            *("--upstream", webhook.url, "--upstream-ca", webhook.ca_file),
            *("--recording", tmp_path / "rec", "--judge", "--target", "1.37"),
            *("--shadow", "--shadow-assume-no-side-effects", "--shadow-rate", 100),
            *("--metrics", "127.0.0.1:0", "--workers", 2),
        )
        async with start_proxy(tmp_path, *options) as proxy:
            await call(proxy, CALLS)
            assert (await get(proxy.admin_address, "/readyz"))[0] == 200
            metrics = ""
            async with asyncio.timeout(30):
                while f'exchanges_judged_total{{sink="judging"}} {CALLS}.0' not in metrics:
                    metrics = (await get(proxy.admin_address, "/metrics"))[1]
            assert await proxy.stop() == 0

    assert len(recorded_uids(tmp_path / "rec")) == CALLS
    assert len(webhook.uids) > CALLS  # the copies
    assert 'findings_total{code="WF101",sink="judging"' in metrics
    judged = orjson.loads((tmp_path / "rec" / "judged-findings.json").read_bytes())
    lost = {(each["code"], each["field"]): each for each in judged["findings"]}
    sidecar = lost["WF101", "spec.initContainers[].restartPolicy"]
    assert (sidecar["count"], sidecar["severity"]) == (CALLS, "critical")
    shadowed = orjson.loads((tmp_path / "rec" / "shadow-findings.json").read_bytes())
    fields = {each["field"] for each in shadowed["findings"]}
    assert {"spec.initContainers[].restartPolicy"} < fields  # and what no pod of this traffic has

    kept = json.dumps([metrics, proxy.lines, judged, shadowed]).encode()
    for place in ("env", "annotation", "option", "authorization"):
        for spelled in spellings(CANARIES[place]):
            assert spelled not in kept


async def test_findings_have_a_folder_of_their_own_without_a_recording(tmp_path: Path) -> None:
    specimen = get_specimen("perfect")
    async with serve_webhook(tmp_path / "webhook", specimen.program) as webhook:
        upstream = ("--upstream", webhook.url, "--upstream-ca", webhook.ca_file)
        found = tmp_path / "found"
        async with start_proxy(tmp_path, *upstream, "--judge", "--findings", found) as proxy:
            await call(proxy, 3)
            assert await proxy.stop() == 0

    judged = orjson.loads((found / "judged-findings.json").read_bytes())
    assert judged["findings"] == []
    assert [each["judged"] for each in judged["webhooks"]] == [3]
