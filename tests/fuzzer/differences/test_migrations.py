"""Is a value that moved to another element told from one that only looks like it?"""

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.differences.migrations import find_migrations

SCHEMA = load_catalogue().schema(Minor(1, 37))


def c(name: str, **more: JsonValue) -> JsonObject:
    return {"name": name, **more}


def moves(before: JsonObject, after: JsonObject) -> set[tuple[str, str]]:
    """(from, to) without what they have in common."""
    found = find_migrations({"spec": before}, {"spec": after}, SCHEMA)
    return {
        (m.source_path.removeprefix("spec."), m.target_path.removeprefix("spec.")) for m in found
    }


def containers(*elements: JsonValue) -> JsonObject:
    return {"containers": [*elements]}


def sleeping(name: str, seconds: int) -> JsonObject:
    return c(name, lifecycle={"preStop": {"sleep": {"seconds": seconds}}})


SLEEP = ".lifecycle.preStop.sleep.seconds"


def test_a_shift_by_one_moves_every_value() -> None:
    before = containers(sleeping("a", 5), sleeping("b", 6), sleeping("d", 7))
    after = containers(sleeping("new", 5), sleeping("a", 6), sleeping("b", 7), c("d"))
    assert moves(before, after) == {
        (f"containers[name={source}]{SLEEP}", f"containers[name={target}]{SLEEP}")
        for source, target in (("a", "new"), ("b", "a"), ("d", "b"))
    }


def test_elements_that_only_moved_moved_nothing() -> None:
    before = containers(sleeping("a", 5), sleeping("b", 6))
    assert moves(before, containers(c("new"), sleeping("a", 5), sleeping("b", 6))) == set()
    assert moves(before, containers(sleeping("b", 6), sleeping("a", 5))) == set()


def test_a_copy_is_no_move() -> None:
    before = containers(sleeping("a", 5))
    assert moves(before, containers(sleeping("a", 5), sleeping("b", 5))) == set()


def test_a_renamed_element_is_no_move() -> None:
    assert moves(containers(sleeping("a", 5)), containers(sleeping("b", 5))) == set()


def test_values_raised_to_what_the_neighbour_had_are_no_move() -> None:
    before = containers(sleeping("a", 5), sleeping("b", 6), sleeping("d", 7))
    after = containers(sleeping("a", 6), sleeping("b", 7), sleeping("d", 8))
    assert moves(before, after) == set()


def test_an_injected_native_sidecar_took_its_policy_from_nobody() -> None:
    before: JsonObject = {"initContainers": [c("s", restartPolicy="Always")]}
    after: JsonObject = {"initContainers": [c("mesh", restartPolicy="Always"), c("s")]}
    assert moves(before, after) == set()


def test_an_enumerated_value_moved_between_elements_that_were_there() -> None:
    before: JsonObject = {"initContainers": [c("s", restartPolicy="Always"), c("i")]}
    after: JsonObject = {"initContainers": [c("s"), c("i", restartPolicy="Always")]}
    assert moves(before, after) == {
        ("initContainers[name=s].restartPolicy", "initContainers[name=i].restartPolicy")
    }


def test_an_enumerated_value_moves_beside_one_that_cannot_be_chance() -> None:
    sidecar = {**sleeping("s", 5), "restartPolicy": "Always"}
    before: JsonObject = {"initContainers": [sidecar]}
    after: JsonObject = {"initContainers": [{**sidecar, "name": "new"}, c("s")]}
    assert {source for source, _ in moves(before, after)} == {
        f"initContainers[name=s]{SLEEP}",
        "initContainers[name=s].restartPolicy",
    }


def test_variables_and_mounts_move_inside_a_container() -> None:
    def with_env(*env: JsonValue) -> JsonObject:
        return containers(c("a", env=[*env], volumeMounts=[]))

    ref: JsonObject = {"fileKeyRef": {"path": "p-1"}}
    before = with_env(c("A", valueFrom=ref), c("B"))
    after = with_env(c("NEW", valueFrom=ref), c("A"), c("B"))
    below = ".valueFrom.fileKeyRef.path"
    inside = "containers[name=a].env[name="
    assert moves(before, after) == {(f"{inside}A]{below}", f"{inside}NEW]{below}")}


def test_volumes_move_too() -> None:
    image: JsonObject = {"reference": "registry.example.com/data:1"}
    before: JsonObject = {"volumes": [c("data", image=image), c("other")]}
    after: JsonObject = {"volumes": [c("new", image=image), c("data"), c("other")]}
    assert moves(before, after) == {
        ("volumes[name=data].image.reference", "volumes[name=new].image.reference")
    }


def test_nothing_moves_into_what_was_injected_twice() -> None:
    """A webhook put its agent in front of the user's container of the same name."""
    before = containers(sleeping("agent", 5), c("app"))
    after = containers(c("agent", image="theirs"), sleeping("agent", 5), c("app"))
    assert moves(before, after) == set()


def test_a_name_that_is_no_step_of_a_path_does_no_harm() -> None:
    odd: JsonObject = {"x[": {"": "value-1"}}
    before = containers({**c("a"), **odd}, c("b"))
    after = containers(c("a"), {**c("b"), **odd})
    assert moves(before, after) == {("containers[name=a].{x[}{}", "containers[name=b].{x[}{}")}
