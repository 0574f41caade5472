"""What does a webhook that attacks whoever reads about it make of a run?"""

from result_parts import SIDECAR, coverage, evidence, finding, lost, run_of, trigger, webhook

from webhook_fuzz.reports.results import LostField, Reproducer, RunResult

HOSTILE = (
    "<script>alert('x')</script>\"'`\x1b[31m\x00\u202e]]>&{{7*7}}{%x%}"
    "[link](javascript:alert(1))<img src=x onerror=alert(1)>\ud800"
)


def hostile_run() -> RunResult:
    """Every string a webhook or a pod can choose is an attack."""
    hostile = webhook(HOSTILE, "incompatible", HOSTILE)
    hostile.update(
        {
            "configuration": HOSTILE,
            "url": f"javascript:{HOSTILE}",
            "mechanism": HOSTILE,
            "lost_fields": [HOSTILE],
            "moved_fields": [HOSTILE],
            "fields": {
                HOSTILE: LostField(path=HOSTILE, since=HOSTILE, gate=HOSTILE, stage=HOSTILE)
            },
            "oldest_lost": HOSTILE,
            "newest_kept": HOSTILE,
            "breaks_in": HOSTILE,
        }
    )
    made = lost("WF101", HOSTILE, SIDECAR, HOSTILE)
    made.update(
        {"title": HOSTILE, "path": HOSTILE, "since": HOSTILE, "gate": HOSTILE, "mechanism": HOSTILE}
    )
    made.update(
        {"remedy": HOSTILE, "field": HOSTILE, "name": HOSTILE, "code": HOSTILE, "id": HOSTILE}
    )
    made["evidence"] = evidence(HOSTILE, {HOSTILE: [HOSTILE]}, HOSTILE)
    made["evidence"].update({"moved_to": HOSTILE, "rfc6902": HOSTILE, "paths": [HOSTILE]})
    made["reproducer"] = Reproducer(
        pod={HOSTILE: HOSTILE, "big": 2**70},
        patch=[{"op": HOSTILE, "path": f"/{HOSTILE}", "value": HOSTILE}, {}],
        patch_text=HOSTILE,
        trigger=HOSTILE,
        confirmed="alone",
    )
    run = run_of(hostile)
    run.update({"complete": False, "started": HOSTILE})
    run["target"] = {"kubernetes": HOSTILE, "newest_known": HOSTILE}
    run["tool"] = {"name": HOSTILE, "version": HOSTILE}
    run["findings"] = [
        made,
        finding(
            "WF202", "no-such-webhook", severity="info", title=HOSTILE, evidence=evidence(HOSTILE)
        ),
    ]
    tried = coverage(HOSTILE, trigger(HOSTILE, "acts"))
    tried["not_probed"] = {HOSTILE: HOSTILE}
    run["coverage"] = [tried, coverage("no-such-webhook")]
    return run
