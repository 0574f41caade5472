from blamed import FIRST, SCHEMA, SECOND, container
from blamed import build_pod as pod
from blamed import nodes_of as nodes
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.actors import UNKNOWN, USER, Actor, ActorKind, Stage, Touch
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk


def test_a_field_belongs_to_the_stage_that_last_set_it() -> None:
    found = nodes(
        (USER, pod({"containers": [container("app")]})),
        (FIRST, pod({"containers": [container("app")], "priority": 1})),
        (SECOND, pod({"containers": [container("app")], "priority": 2})),
    )
    assert found["spec.containers[name=app].image"].setter is USER
    assert found["spec.priority"].setter is SECOND
    assert [(past.value, past.setter) for past in found["spec.priority"].earlier] == [(1, FIRST)]


def test_an_element_put_in_front_changes_nobody_elses_fields() -> None:
    found = nodes(
        (USER, pod({"containers": [container("app"), container("log")]})),
        (FIRST, pod({"containers": [container("mesh"), container("app"), container("log")]})),
    )
    assert found["spec.containers[name=mesh].image"].setter is FIRST
    assert found["spec.containers[name=app].image"].setter is USER
    assert found["spec.containers[name=log].image"].setter is USER


def test_what_is_removed_stays_in_its_place_with_who_removed_it() -> None:
    sidecar = container("log", restartPolicy="Always", tty=True)
    found = nodes(
        (USER, pod({"initContainers": [sidecar]})),
        (FIRST, pod({"initContainers": [container("log", tty=True)]})),
    )
    gone = found["spec.initContainers[name=log].restartPolicy"]
    assert (gone.value, gone.setter, gone.remover) == ("Always", USER, FIRST)
    children = found["spec.initContainers[name=log]"].children
    assert [child.step.name for child in children] == ["name", "image", "restartPolicy", "tty"]


def test_a_removed_element_is_one_node_that_is_gone() -> None:
    found = nodes(
        (USER, pod({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]})),
        (FIRST, pod({"volumes": [{"name": "b", "emptyDir": {}}]})),
    )
    assert found["spec.volumes[name=a]"].remover is FIRST
    assert found["spec.volumes[name=b]"].remover is None
    order = [child.step.name for child in found["spec.volumes"].children]
    assert order == ["name=a", "name=b"]


def test_what_is_put_back_belongs_to_who_put_it_back() -> None:
    whole, stripped = pod({"hostname": "web"}), pod({"subdomain": "x"})
    found = nodes((USER, whole), (FIRST, stripped), (SECOND, whole))
    again = found["spec.hostname"]
    assert again.setter is SECOND
    assert [(past.setter, past.remover) for past in again.earlier] == [(USER, FIRST)]
    assert found["spec.subdomain"].remover is SECOND


def test_an_element_that_is_put_back_is_not_shown_twice() -> None:
    whole = pod({"containers": [container("app"), container("log")]})
    found = nodes((USER, whole), (FIRST, pod({"containers": [container("app")]})), (SECOND, whole))
    order = [child.step.name for child in found["spec.containers"].children]
    assert order == ["name=app", "name=log"]
    assert found["spec.containers[name=log].image"].setter is SECOND


def test_two_spellings_of_one_quantity_are_no_change() -> None:
    def limits(memory: JsonValue) -> JsonObject:
        return pod({"containers": [container("app", resources={"limits": {"memory": memory}})]})

    path = "spec.containers[name=app].resources.limits{memory}"
    assert nodes((USER, limits("1024Mi")), (FIRST, limits("1Gi")))[path].setter is USER
    assert nodes((USER, limits("1024Mi")), (FIRST, limits("2Gi")))[path].setter is FIRST
    assert nodes((USER, limits("1024Mi")), (FIRST, limits("much")))[path].setter is FIRST


def test_true_is_not_one() -> None:
    found = nodes((USER, pod({"x": 1})), (FIRST, pod({"x": True})))
    assert found["spec.x"].setter is FIRST


def test_elements_without_a_key_are_told_apart_by_what_they_are() -> None:
    one: JsonObject = {"key": "a", "operator": "Exists"}
    other: JsonObject = {"key": "b", "operator": "Exists"}
    found = nodes((USER, pod({"tolerations": [one]})), (FIRST, pod({"tolerations": [other, one]})))
    assert found["spec.tolerations[0].key"].setter is FIRST
    assert found["spec.tolerations[1].key"].setter is USER


def test_an_argument_that_was_added_does_not_take_over_the_others() -> None:
    before = pod({"containers": [container("app", args=["run", "--fast"])]})
    after = pod({"containers": [container("app", args=["run", "--mesh", "--fast"])]})
    found = nodes((USER, before), (FIRST, after))
    setters = [found[f"spec.containers[name=app].args[{index}]"].setter for index in range(3)]
    assert setters == [USER, FIRST, USER]


def test_map_entries_have_setters_of_their_own() -> None:
    found = nodes(
        (USER, pod({}, labels={"app": "web"})),
        (FIRST, pod({}, labels={"app": "web", "mesh.io/on": "true"})),
    )
    assert found["metadata.labels{app}"].setter is USER
    assert found["metadata.labels{mesh.io/on}"].setter is FIRST


def test_members_that_say_no_more_than_their_absence_are_left_out() -> None:
    found = nodes((USER, pod({"containers": [container("app", resources={})], "x": None})))
    assert "spec.containers[name=app].resources" not in found
    assert "spec.x" not in found


def test_status_and_managed_fields_are_left_out() -> None:
    given = pod({}, managedFields=[{"manager": "kubectl"}], name="web")
    found = nodes((USER, {**given, "status": {"phase": "Running"}}))
    assert set(found) == {"apiVersion", "kind", "metadata", "metadata.name", "spec"}


def test_a_value_of_another_type_is_a_new_value() -> None:
    found = nodes((USER, pod({"x": {"a": 1}})), (FIRST, pod({"x": [1]})))
    assert found["spec.x"].setter is FIRST
    assert found["spec.x"].earlier[0].value == {"a": 1}
    assert found["spec.x[0]"].setter is FIRST


def test_a_stage_can_recognise_others_by_what_they_did() -> None:
    plugin = Actor(kind=ActorKind.PLUGIN, name="Priority")

    def recognise(touch: Touch) -> Actor | None:
        return plugin if touch.path in {"spec.priority", "spec.volumes[name=t]"} else None

    before = pod({"priority": 1, "hostname": "a"})
    after = pod({"volumes": [{"name": "t", "emptyDir": {"medium": "Memory"}}], "nodeName": "n"})
    stages = [
        Stage(actor=USER, pod=before),
        Stage(actor=UNKNOWN, pod=after, recognise=recognise),
    ]
    found = dict(walk(blame(stages, SCHEMA)))
    assert found["spec.priority"].remover is plugin
    assert found["spec.hostname"].remover is UNKNOWN
    assert found["spec.volumes[name=t].emptyDir.medium"].setter is plugin
    assert found["spec.nodeName"].setter is UNKNOWN


def test_two_elements_that_went_one_after_the_other_keep_their_order() -> None:
    a, b, c = container("a"), container("b"), container("c")
    found = nodes(
        (USER, pod({"containers": [a, b, c]})),
        (FIRST, pod({"containers": [a, c]})),
        (SECOND, pod({"containers": [c]})),
    )
    order = [(child.step.name, child.remover) for child in found["spec.containers"].children]
    assert order == [("name=a", SECOND), ("name=b", FIRST), ("name=c", None)]


def observed(*stages: tuple[Actor, JsonObject], end: JsonObject) -> dict[str, Node]:
    last = Stage(actor=UNKNOWN, pod=end, observed=True)
    return dict(walk(blame([*(Stage(actor=a, pod=p) for a, p in stages), last], SCHEMA)))


def test_what_was_gone_in_a_trial_and_is_there_in_the_end_was_never_gone() -> None:
    whole = pod({"hostname": "web", "containers": [container("app")]})
    found = observed((USER, whole), (FIRST, pod({"containers": [container("app")]})), end=whole)
    assert found["spec.hostname"].setter is USER
    assert found["spec.hostname"].earlier == ()


def test_what_was_changed_in_a_trial_and_is_not_in_the_end_was_never_changed() -> None:
    whole, other, third = (pod({"hostname": name}) for name in ("web", "other", "third"))
    found = observed((USER, whole), (FIRST, other), (SECOND, third), end=other)
    assert found["spec.hostname"].setter is FIRST
    found = observed((USER, whole), (FIRST, other), end=whole)
    assert (found["spec.hostname"].setter, found["spec.hostname"].earlier) == (USER, ())


def test_what_a_webhook_added_in_a_trial_and_is_not_there_was_never_added() -> None:
    before = pod({"containers": [container("app")]})
    found = observed(
        (USER, before), (FIRST, pod({"containers": [container("app"), container("x")]})), end=before
    )
    assert "spec.containers[name=x]" not in found


def test_what_a_user_had_and_is_not_there_in_the_end_is_gone() -> None:
    found = observed((USER, pod({"hostname": "web"})), end=pod({}))
    assert found["spec.hostname"].remover is UNKNOWN
