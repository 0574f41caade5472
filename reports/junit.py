"""How does a CI system show a run as tests?

One test suite a webhook, one test case a field and one a finding that is about no field. JUnit XML
has no standard; this keeps to what Jenkins' and GitLab's readers agree on: testsuites, testsuite,
testcase with failure, error, skipped or system-out.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree as ET

from webhook_fuzz.reports.cluster_results import ClusterResult
from webhook_fuzz.reports.documents import render_operation, render_yaml
from webhook_fuzz.reports.overviews import (
    SEVERITIES,
    coverage_of,
    findings_about,
    full_name,
    order_cluster_findings,
    order_webhooks,
    other_findings,
)
from webhook_fuzz.reports.results import FindingResult, RunResult, WebhookResult
from webhook_fuzz.reports.texts import minor_order, visible

_FAILING = frozenset({"critical", "error"})


def render_junit(run: RunResult) -> str:
    """The run as JUnit XML.

    Critical findings and errors are failures, warnings and infos are output of a passing case. An
    unreachable webhook is an error, one that was not exercised a skipped test: never a pass.
    """
    root = ET.Element("testsuites", {"name": visible(run["tool"]["name"])})
    for webhook in order_webhooks(run):
        _add_suite(root, run, full_name(webhook), list(_webhook_cases(run, webhook)))
    others = other_findings(run)
    if others:
        _add_suite(root, run, "other findings", list(_code_cases("other findings", others)))
    if cluster := run.get("cluster"):
        _add_suite(root, run, f"cluster {cluster['context']}", list(_cluster_cases(cluster)))
    _count(root, root)
    root.set("time", f"{run['seconds']:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, run: RunResult, name: str, cases: list[ET.Element]) -> None:
    suite = ET.SubElement(
        root, "testsuite", {"name": visible(name), "timestamp": visible(run["started"])}
    )
    suite.extend(cases)
    _count(suite, suite)


def _count(element: ET.Element, within: ET.Element) -> None:
    element.set("tests", str(len(list(within.iter("testcase")))))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(attribute, str(len(list(within.iter(kind)))))


def _webhook_cases(run: RunResult, webhook: WebhookResult) -> Iterator[ET.Element]:
    name = full_name(webhook)
    yield _verdict_case(run, webhook, name)
    by_field: defaultdict[str, list[FindingResult]] = defaultdict(list)
    others: list[FindingResult] = []
    for finding in findings_about(run, webhook):
        (by_field[finding["field"]] if finding["field"] else others).append(finding)
    yield from _field_cases(webhook, name, by_field)
    yield from _code_cases(name, others)


def _verdict_case(run: RunResult, webhook: WebhookResult, name: str) -> ET.Element:
    case = _case(name, "is reachable and exercised")
    message = {"message": visible(webhook["sentence"])}
    if webhook["verdict"] == "unreachable":
        ET.SubElement(case, "error", message | {"type": "unreachable"})
    elif webhook["verdict"] == "not-exercised":
        skipped = ET.SubElement(case, "skipped", message)
        tried = coverage_of(run, webhook)
        names = [trigger["trigger"] for trigger in tried["triggers"]] if tried else []
        skipped.text = visible("Triggers tried: " + (", ".join(names) or "none"))
    return case


def _field_cases(
    webhook: WebhookResult, name: str, findings: Mapping[str, Sequence[FindingResult]]
) -> Iterator[ET.Element]:
    broken = {*webhook["lost_fields"], *webhook["moved_fields"]}
    paths = {*broken, *webhook["kept_fields"], *findings}
    fields = webhook["fields"]
    since = {path: fields[path]["since"] if path in fields else "" for path in paths}
    for path in sorted(paths, key=lambda path: (minor_order(since[path]), path)):
        case = _case(name, f"{since[path]} {path}".strip())
        _add_findings(case, findings.get(path, ()))
        if path in broken and case.find("failure") is None:
            what = "lost" if path in webhook["lost_fields"] else "moved to another element"
            ET.SubElement(case, "failure", {"message": f"The field is {what}", "type": "field"})
        yield case


def _code_cases(name: str, findings: Sequence[FindingResult]) -> Iterator[ET.Element]:
    groups: defaultdict[tuple[str, str], list[FindingResult]] = defaultdict(list)
    for finding in findings:
        groups[finding["code"], finding["name"]].append(finding)
    for (code, words), members in groups.items():
        case = _case(name, f"{code} {words}")
        _add_findings(case, members)
        yield case


def _cluster_cases(cluster: ClusterResult) -> Iterator[ET.Element]:
    """A case a finding about the cluster, a skipped one for whatever could not be seen."""
    suite = f"cluster {cluster['context']}"
    for found in order_cluster_findings(cluster):
        case = _case(suite, f"{found['code']} {found['name']} {found['subject']}")
        said = visible(f"{found['explanation']}\nRemedy: {found['remedy']}", lines=True)
        if found["severity"] in _FAILING:
            attributes = {"message": visible(found["explanation"]), "type": visible(found["code"])}
            ET.SubElement(case, "failure", attributes).text = said
        else:
            ET.SubElement(case, "system-out").text = said
        yield case
    for unseen in cluster["not_seen"]:
        case = _case(suite, f"can see {unseen['what']}")
        ET.SubElement(case, "skipped", {"message": visible(unseen["why"])})
        yield case


def _case(suite: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": visible(suite), "name": visible(name)})


def _add_findings(case: ET.Element, findings: Sequence[FindingResult]) -> None:
    """One failure a case, as readers expect: all texts in it, the worst one's title as message."""
    failing = [finding for finding in findings if finding["severity"] in _FAILING]
    if failing:
        worst = min(failing, key=lambda finding: SEVERITIES.index(finding["severity"]))
        attributes = {"message": visible(worst["title"]), "type": visible(worst["code"])}
        failure = ET.SubElement(case, "failure", attributes)
        failure.text = "\n\n".join(_describe(finding) for finding in failing)
    notes = [finding for finding in findings if finding["severity"] not in _FAILING]
    if notes:
        ET.SubElement(case, "system-out").text = "\n\n".join(_describe(note) for note in notes)


def _describe(finding: FindingResult) -> str:
    lines = [
        f"{finding['code']} {finding['name']} ({finding['severity']}): {finding['title']}",
        finding["evidence"]["explanation"],
    ]
    if finding["path"]:
        lines.append(f"Path: {finding['path']}")
    reproducer = finding["reproducer"]
    if reproducer:
        lines += [f"Pod (trigger: {reproducer['trigger']}):", render_yaml(reproducer["pod"])]
        lines += [render_operation(operation) for operation in (reproducer["patch"] or [])[:20]]
    lines.append(f"Remedy: {finding['remedy']}")
    return visible("\n".join(lines), lines=True)
