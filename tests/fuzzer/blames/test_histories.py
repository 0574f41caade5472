from blamed import CATALOGUE, SCHEMA, build_pod, container
from chain_webhooks import FakeCaller, Reaction, chain, entry, patching, specimen
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.blames.actors import ActorKind
from webhook_fuzz.fuzzer.blames.histories import Passage, stages_of_passage
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk
from webhook_fuzz.fuzzer.chains.hops import Walk
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.transports import Uncalled

POD = build_pod({"containers": [container("app")]}, name="web", labels={"app": "web"})
NEWEST = CATALOGUE.newest


async def walked(pod: JsonObject, **reactions: Reaction) -> Walk:
    return await walk_chain(
        pod,
        chain(*(entry(name) for name in reactions)),
        pod_attributes(pod, namespace="shop"),
        FakeCaller(reactions),
        options=WalkOptions(api_server=Minor(1, 37)),
    )


def nodes(passage: Passage) -> dict[str, Node]:
    return dict(walk(blame(stages_of_passage(passage, CATALOGUE), SCHEMA)))


def passage_of(
    walk: Walk | None, reply: JsonObject | None, pod: JsonObject = POD, **others: JsonObject
) -> Passage:
    given = others.get("given", pod)
    return Passage(
        given=given,
        made=others.get("made"),
        controller="Job controller" if "made" in others else "",
        sent=pod,
        seen_first=default_pod(pod),
        walk=walk,
        reply=reply,
    )


def label(name: str, value: str = "yes") -> JsonObject:
    return {"op": "add", "path": f"/metadata/labels/{name}", "value": value}


def relabelled(pod: JsonObject, **labels: JsonValue) -> JsonObject:
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    assert isinstance(metadata["labels"], dict)
    return {**pod, "metadata": {**metadata, "labels": {**metadata["labels"], **labels}}}


async def test_every_stage_has_its_fields() -> None:
    way = await walked(POD, one=patching(label("one")), two=patching(label("two")))
    found = nodes(passage_of(way, {**way.end, "spec": {**_spec(way.end), "priority": 0}}))
    setters = {path: (node.setter.kind, node.setter.name) for path, node in found.items()}
    assert setters["spec.containers[name=app].image"] == (ActorKind.USER, "")
    assert setters["spec.dnsPolicy"] == (ActorKind.DEFAULT, "")
    assert setters["metadata.labels{one}"] == (ActorKind.WEBHOOK, "chain/one")
    assert setters["metadata.labels{two}"] == (ActorKind.WEBHOOK, "chain/two")
    assert found["metadata.labels{two}"].setter.position == 1
    assert setters["spec.priority"] == (ActorKind.PLUGIN, "Priority")


def _spec(pod: JsonObject) -> JsonObject:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    return spec


async def test_what_a_controller_adds_to_a_template_is_the_controller_s() -> None:
    template = build_pod({"containers": [container("app")]}, labels={"app": "web"})
    made = relabelled(template, job="j")
    found = nodes(passage_of(None, None, made, given=template, made=made))
    assert found["metadata.labels{app}"].setter.kind is ActorKind.USER
    assert found["metadata.labels{job}"].setter.name == "Job controller"


async def test_a_field_the_api_server_does_not_know_is_taken_by_the_api_server() -> None:
    given = build_pod(
        {"containers": [container("app", future=1)]}, name="web", labels={"app": "web"}
    )
    found = nodes(passage_of(None, None, given=given))
    gone = found["spec.containers[name=app].future"].remover
    assert gone is not None
    assert (gone.kind, gone.name) == (ActorKind.SERVER, "unknown field")


async def test_what_no_webhook_did_is_in_tree_when_all_were_called() -> None:
    way = await walked(POD, one=patching(label("one")))
    found = nodes(passage_of(way, relabelled(way.end, zone="a")))
    setter = found["metadata.labels{zone}"].setter
    assert (setter.kind, setter.name) == (ActorKind.PLUGIN, "")


async def test_behind_a_webhook_that_could_not_be_called_nobody_is_accused() -> None:
    way = await walked(POD, one=Uncalled(reason="No way."), two=patching(label("two")))
    found = nodes(passage_of(way, relabelled(way.end, zone="a", two="other")))
    zone, two = found["metadata.labels{zone}"].setter, found["metadata.labels{two}"].setter
    assert zone.kind is ActorKind.UNKNOWN
    assert "chain/one" in zone.known_by
    assert two.kind is ActorKind.UNKNOWN


async def test_a_hop_behind_an_unknown_one_says_so() -> None:
    way = await walked(POD, one=Uncalled(reason="No way."), two=patching(label("two")))
    found = nodes(passage_of(way, way.end))
    assert "may have got a different pod" in found["metadata.labels{two}"].setter.known_by


async def test_without_a_walk_nobody_is_accused_either() -> None:
    end = default_pod(POD)
    found = nodes(passage_of(None, relabelled(end, zone="a")))
    assert found["metadata.labels{zone}"].setter.kind is ActorKind.UNKNOWN


async def test_a_value_that_differs_from_call_to_call_stays_the_webhook_s() -> None:
    way = await walked(POD, one=patching(label("at", "10:00")))
    found = nodes(passage_of(way, relabelled(way.end, at="10:01")))
    setter = found["metadata.labels{at}"].setter
    assert setter.name == "chain/one"
    assert "another value" in setter.known_by


async def test_a_gated_field_that_every_webhook_keeps_is_taken_by_the_gate() -> None:
    pod = build_pod(
        {"containers": [container("app", lifecycle={"stopSignal": "SIGUSR1"})]},
        name="web",
        labels={"app": "web"},
    )
    way = await walked(pod, one=patching(label("one")))
    reply = relabelled(default_pod(POD), one="yes")
    found = nodes(passage_of(way, reply, pod))
    gone = found["spec.containers[name=app].lifecycle"].remover
    assert gone is not None
    assert (gone.kind, gone.name) == (ActorKind.SERVER, "gate ContainerStopSignals")


async def test_a_gated_field_a_webhook_lost_is_the_webhook_s_loss() -> None:
    pod = build_pod(
        {
            "initContainers": [container("logs", restartPolicy="Always")],
            "containers": [container("app")],
        },
        name="web",
        labels={"app": "web"},
    )
    way = await walked(pod, one=specimen("typed-round-trip-1.27"))
    found = nodes(passage_of(way, way.end, pod))
    gone = found["spec.initContainers[name=logs].restartPolicy"].remover
    assert gone is not None
    assert gone.name == "chain/one"


async def test_what_is_gone_without_a_gate_in_a_complete_walk_is_in_tree() -> None:
    way = await walked(POD, one=patching(label("one")))
    metadata = way.end["metadata"]
    assert isinstance(metadata, dict)
    found = nodes(passage_of(way, {**way.end, "metadata": {**metadata, "labels": {"one": "yes"}}}))
    gone = found["metadata.labels{app}"].remover
    assert gone is not None
    assert gone.kind is ActorKind.PLUGIN


async def test_names_and_uids_are_the_api_server_s() -> None:
    end = default_pod(POD)
    metadata = end["metadata"]
    assert isinstance(metadata, dict)
    found = nodes(passage_of(None, {**end, "metadata": {**metadata, "uid": "u"}}))
    assert found["metadata.uid"].setter.kind is ActorKind.SERVER


async def test_a_webhook_that_draws_names_leaves_the_rest_unknown_and_accuses_nobody() -> None:
    way = await walked(POD, one=patching(label("mesh-a1b2")))
    found = nodes(passage_of(way, relabelled(default_pod(POD), **{"mesh-c3d4": "yes"})))
    assert "metadata.labels{mesh-a1b2}" not in found
    setter = found["metadata.labels{mesh-c3d4}"].setter
    assert setter.kind is ActorKind.UNKNOWN
    assert "differently each time" in setter.known_by
