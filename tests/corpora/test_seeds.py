"""Are the shipped seed pods there, and is a user's manifest read as kubectl reads it?"""

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import Field, load_catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.seeds import manifests, yaml_documents
from webhook_fuzz.corpora.seeds.loading import SeedPod, load_shipped_seeds, shipped_seed
from webhook_fuzz.corpora.seeds.manifests import load_pod_manifests
from webhook_fuzz.corpora.seeds.yaml_documents import read_yaml

SEEDS = load_shipped_seeds()
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "nginx"}]},
}


def by_name(seeds: tuple[SeedPod, ...]) -> dict[str, Any]:
    return {seed.name: seed.pod for seed in seeds}


def write(folder: Path, text: str, name: str = "pods.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def write_workload(folder: Path, api_version: str, kind: str, spec: dict[str, Any]) -> Path:
    manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }
    return write(folder, json.dumps(manifest), "web.json")


def only_pod(path: Path) -> dict[str, Any]:
    (seed,) = load_pod_manifests(path)
    return seed.pod


# The shipped seeds


def test_there_are_at_least_twelve_shipped_seeds_with_distinct_names() -> None:
    assert len(SEEDS) >= 12
    assert len({seed.name for seed in SEEDS}) == len(SEEDS)


def test_the_smallest_seed_comes_first_and_seeds_are_found_by_name() -> None:
    assert SEEDS[0] is shipped_seed("minimal")
    assert shipped_seed("bare").pod["metadata"] != {}
    with pytest.raises(KeyError):
        shipped_seed("imaginary")


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seed_says_in_a_sentence_why_it_is_there(seed: SeedPod) -> None:
    assert len(seed.because) > 40
    assert seed.because.endswith(".")


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seed_is_a_pod_as_a_webhook_receives_it_on_create(seed: SeedPod) -> None:
    pod: Any = seed.pod
    assert (pod["apiVersion"], pod["kind"], pod["status"]) == ("v1", "Pod", {})
    assert pod["metadata"]["namespace"] == seed.namespace
    assert not {"uid", "creationTimestamp", "managedFields"} & pod["metadata"].keys()
    assert pod["metadata"].keys() & {"name", "generateName"}
    assert pod["spec"]["containers"][0]["name"] == "app"
    assert pod["spec"]["priority"] == 0
    keys = {toleration.get("key") for toleration in pod["spec"]["tolerations"]}
    assert keys >= {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seed_has_its_service_account_token_in_every_container(seed: SeedPod) -> None:
    spec: Any = seed.pod["spec"]
    if spec.get("automountServiceAccountToken") is False:
        return
    (token,) = [v["name"] for v in spec["volumes"] if v["name"].startswith("kube-api-access-")]
    for container in spec.get("initContainers", []) + spec["containers"]:
        assert token in {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seed_has_only_fields_that_are_on_by_default_in_the_newest_minor(seed: SeedPod) -> None:
    catalogue = load_catalogue()
    known = {field.path: field for field in catalogue.in_minor(catalogue.newest)}
    for path in sorted(_catalogue_paths(seed.pod, "", known)):
        field = known[path]
        gate = catalogue.gate(field)
        assert gate is None or gate.enabled_by_default(catalogue.newest), path


def _catalogue_paths(value: JsonValue, path: str, known: dict[str, Field]) -> set[str]:
    """Every path of a pod that the catalogue should know, apart from the type's own two."""
    found: set[str] = set()
    if isinstance(value, list):
        for element in value:
            found |= _catalogue_paths(element, f"{path}[]", known)
    elif isinstance(value, dict) and not (path in known and known[path].type.startswith("map")):
        for member, child in value.items():
            inner = f"{path}.{member}" if path else member
            if inner not in ("apiVersion", "kind", "status"):
                if inner not in ("metadata", "spec"):
                    found.add(inner)
                found |= _catalogue_paths(child, inner, known)
    return found


def test_the_seeds_meet_the_code_paths_they_were_chosen_for() -> None:
    pods = by_name(SEEDS)
    assert pods["daemonset"]["spec"]["hostNetwork"] is True
    assert pods["windows"]["spec"]["os"] == {"name": "windows"}
    assert pods["gpu"]["spec"]["containers"][0]["resources"]["claims"]
    assert pods["deployment"]["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    assert pods["job"]["spec"]["restartPolicy"] == "Never"
    assert len(pods["large"]["spec"]["containers"]) == 20
    assert len(pods["minimal"]["spec"]["containers"]) == 1
    sidecars = [c.get("restartPolicy") for c in pods["native-sidecars"]["spec"]["initContainers"]]
    assert sidecars == ["Always", None, "Always", None, "Always"]
    assert json.loads(pods["mesh"]["metadata"]["annotations"]["sidecar.istio.io/status"])


# A user's manifests


def test_a_pod_is_read_with_its_namespace(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n"
        "spec: {containers: [{name: app, image: nginx}]}\n",
    )
    (seed,) = load_pod_manifests(file)
    assert (seed.name, seed.namespace) == ("pod/web", "shop")
    assert seed.because == f"It is yours: pod/web in {file}:1."
    assert seed.pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "nginx"}]},
        "status": {},
    }


def test_a_folder_is_read_file_by_file_with_all_documents_and_kinds_without_pods_skipped(
    tmp_path: Path,
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: app}]}\n"
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    write(tmp_path, f"---\n{pod % 'a'}---\n---\n# nothing\n---\n{service}---\n{pod % 'b'}")
    write(tmp_path, pod % "c", "more.yml")
    write(tmp_path, json.dumps(yaml.safe_load(pod % "a")) * 2, "same.json")
    write(tmp_path, "{{ not read }}", "README.md")
    names = [seed.name for seed in load_pod_manifests(tmp_path)]
    assert names == ["pod/c", "pod/a", "pod/b", "pod/a#2", "pod/a#3"]


def test_what_a_cluster_added_to_a_pod_is_taken_off_again(tmp_path: Path) -> None:
    exported: Any = copy.deepcopy(shipped_seed("bare").pod)
    exported["metadata"] |= {"uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    exported["metadata"] |= {"resourceVersion": "7", "managedFields": [{"manager": "kubectl"}]}
    exported["spec"] |= {"nodeName": "node-1", "ephemeralContainers": [{"name": "debugger"}]}
    exported["status"] = {"phase": "Running"}
    assert only_pod(write(tmp_path, json.dumps(exported), "p.json")) == shipped_seed("bare").pod


def test_a_deployment_gives_the_pod_of_its_replica_set(tmp_path: Path) -> None:
    pod = only_pod(write_workload(tmp_path, "apps/v1", "Deployment", {"template": TEMPLATE}))
    template_hash = pod["metadata"]["labels"]["pod-template-hash"]
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{10}", template_hash)
    assert pod["metadata"]["generateName"] == f"web-{template_hash}-"
    assert pod["metadata"]["namespace"] == "shop"
    assert pod["metadata"]["labels"]["app"] == "web"
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"], owner["name"]) == (
        "apps/v1",
        "ReplicaSet",
        f"web-{template_hash}",
    )


def test_a_stateful_set_gives_its_first_replica_with_its_claims(tmp_path: Path) -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}, {"name": "x", "emptyDir": {}}]
    spec = {
        "serviceName": "web",
        "template": template,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
    }
    pod = only_pod(write_workload(tmp_path, "apps/v1", "StatefulSet", spec))
    assert (pod["metadata"]["name"], pod["metadata"]["generateName"]) == ("web-0", "web-")
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-0", "web")
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "0"
    assert pod["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
        {"name": "x", "emptyDir": {}},
    ]


def test_a_daemon_set_gives_a_pod_that_tolerates_what_its_controller_adds(tmp_path: Path) -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["hostNetwork"] = True
    pod = only_pod(write_workload(tmp_path, "apps/v1", "DaemonSet", {"template": template}))
    assert pod["metadata"]["generateName"] == "web-"
    keys = [toleration["key"] for toleration in pod["spec"]["tolerations"]]
    assert len(keys) == 7
    assert "node.kubernetes.io/network-unavailable" in keys


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "generate_name", "owner"),
    [
        ("apps/v1", "ReplicaSet", {"template": TEMPLATE}, "web-", "ReplicaSet/web"),
        (
            "v1",
            "ReplicationController",
            {"template": TEMPLATE},
            "web-",
            "ReplicationController/web",
        ),
        ("batch/v1", "Job", {"template": TEMPLATE}, "web-", "Job/web"),
        (
            "batch/v1",
            "CronJob",
            {"jobTemplate": {"spec": {"template": TEMPLATE}}},
            "web-29384720-",
            "Job/web-29384720",
        ),
    ],
)
def test_a_workload_gives_the_pod_its_controller_makes(
    tmp_path: Path,
    api_version: str,
    kind: str,
    spec: dict[str, Any],
    generate_name: str,
    owner: str,
) -> None:
    pod = only_pod(write_workload(tmp_path, api_version, kind, spec))
    assert pod["metadata"]["generateName"] == generate_name
    (reference,) = pod["metadata"]["ownerReferences"]
    assert f"{reference['kind']}/{reference['name']}" == owner
    assert ("finalizers" in pod["metadata"]) == (kind in ("Job", "CronJob"))


def test_a_pod_template_gives_a_pod_nobody_owns(tmp_path: Path) -> None:
    manifest = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "web"}}
    pod = only_pod(write(tmp_path, json.dumps({**manifest, "template": TEMPLATE})))
    assert pod["metadata"] == {
        "labels": {"app": "web"},
        "namespace": "default",
        "generateName": "web-",
    }


def test_a_list_is_opened_and_kinds_of_other_groups_are_not_mistaken(tmp_path: Path) -> None:
    own = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "own"}}
    other = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": {"tasks": "x"}}
    items: list[dict[str, Any]] = [{**own, "spec": {"template": TEMPLATE}}, other]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    (seed,) = load_pod_manifests(write(tmp_path, json.dumps(document)))
    assert seed.name == "job/own"


# Reading YAML as kubectl does; the expectations are what sigs.k8s.io/yaml 1.6.0 printed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("On", True),
        ("off", False),
        ("tRue", "tRue"),
        ("nULL", "nULL"),
        ("~", None),
        ("2001-12-14", "2001-12-14"),
        ("2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"),
        ("1:30", "1:30"),
        ("0777", 511),
        ("0o777", 511),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("08", 8),
        ("1e3", 1000),
        ("1.0", 1),
        (".5", 0.5),
        ("1e400", "1e400"),
        ("-0b101", -5),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775809", -9223372036854775808.0),
        ("100m", "100m"),
        ("=", "="),
        ('"on"', "on"),
        ("!!str 1", "1"),
        ('!!int "5"', 5),
        ("!!float 3", 3),
        ("!!binary aGk=", "hi"),
        ("!python/object:os.system bar", "bar"),
        ("! 12", "12"),
        ("|\n  x\n  y", "x\ny\n"),
    ],
)
def test_a_plain_word_means_what_it_means_to_kubectl(text: str, value: object) -> None:
    (document,) = read_yaml(f"a: {text}\n", source="x.yaml")
    assert document.value == {"a": value}
    assert isinstance(document.value, dict)
    assert type(document.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1: a", {"1": "a"}),
        ("1.5: a", {"1.5": "a"}),
        ("yes: a", {"true": "a"}),
        ("0x10: a", {"16": "a"}),
        ("2001-12-14: a", {"2001-12-14": "a"}),
        ("a: 1\na: 2", {"a": 2}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("a: &x b\n*x : 1", {"a": "b", "b": 1}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x {b: 1}\nc: {b: 7, <<: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
        ("c: {<<: [{b: 1}, {b: 3, e: 2}]}", {"c": {"b": 1, "e": 2}}),
        ('c: {"<<": {a: 1}}', {"c": {"<<": {"a": 1}}}),
    ],
)
def test_keys_and_merges_are_what_they_are_to_kubectl(text: str, value: object) -> None:
    assert [document.value for document in read_yaml(text, source="x.yaml")] == [value]


def test_an_alias_is_a_copy_that_can_be_changed_alone() -> None:
    (document,) = read_yaml("a: &x {b: [1]}\nc: *x\n", source="x.yaml")
    value: Any = document.value
    value["a"]["b"].append(2)
    assert value == {"a": {"b": [1, 2]}, "c": {"b": [1]}}


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_both_parsers_read_the_same(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_documents, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    (document,) = read_yaml("# é\na: &x {b: 'on', c: on}\nd: [*x, !t 5]\n", source="x.yaml")
    assert document.line == 2
    assert document.value == {"a": {"b": "on", "c": True}, "d": [{"b": "on", "c": True}, "5"]}


# What is refused, with file and line


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, here in zip("abcdefg", "bcdefgh", strict=True)
)
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("kind: Pod\n\tspec: {}\n", 2, "cannot start any token|a tab character"),
        ("a: 1\nb: {{ .Values.b }}\n", 2, "only a plain value can be a key"),
        ("a: 1\nb: .nan\n", 2, "cannot be written in JSON"),
        ("~: 1\n", 1, "null cannot be a key"),
        ("[1]: 1\n", 1, "only a plain value can be a key"),
        ("a: &x [1]\n*x : 1\n", 2, "only a plain value can be a key"),
        ("a: *nothing\n", 1, "no anchor|undefined alias"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("a: {<<: 5}\n", 1, "<< needs a mapping"),
        ("a: !!int x\n", 1, "tagged !!int"),
        ("a: !!binary '%'\n", 1, "base64"),
        (BOMB, 6, "more than 500,000 values"),
        (f"a: {'[' * 200}{']' * 200}\n", 1, "nested deeper than 100 levels"),
        ("- a\n", 1, "not an object but of type array"),
        ("---\n\nplain words\n", 3, "not an object but of type string"),
        (f"{POD}---\n{POD}spec: {{containers: []}}\n", 1, "Pod: spec.containers is missing"),
        (POD + "spec: {containers: {}}\n", 1, "containers is not a list"),
        (POD + "spec: {containers: [app]}\n", 1, "an element without a name"),
        (POD + "spec: []\n", 1, "spec is not an object"),
        (
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}\n",
            1,
            "neither metadata.name",
        ),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", 1, "an item that is not an object"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: 5}\n", 1, "not a string"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_file_and_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_pod_manifests(file)
    assert caught.value.message.startswith(f"{file}:{line}: ")
    assert re.search(problem, caught.value.message)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('{"a": 1}\n{"a": }\n', 2, "Expecting value"),
        ('{"a": NaN}', 1, "NaN is not JSON"),
        ('{"a": 1e999}', 1, "too large"),
        ('{"a": "\\ud800"}', 1, "cannot be sent as JSON"),
        ('{"a": 99999999999999999999}', 1, "cannot be sent as JSON"),
        ('{"a": ' + "[" * 100_000, 1, "nested too deeply"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", 1, "cannot be sent as JSON"),
        ("7", 1, "of type number"),
    ],
)
def test_bad_json_is_refused_with_its_file_and_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    file = write(tmp_path, text, "pod.json")
    with pytest.raises(InputError) as caught:
        load_pod_manifests(file)
    assert caught.value.message.startswith(f"{file}:{line}: ")
    assert problem in caught.value.message


def test_a_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin1.yaml"
    file.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(InputError, match=r"latin1\.yaml:2: not UTF-8"):
        load_pod_manifests(file)


def test_a_control_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pods\.yaml"):
        load_pod_manifests(write(tmp_path, "a: \x00\n"))


def test_a_folder_without_any_pod_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, "apiVersion: v1\nkind: ConfigMap\n")
    with pytest.raises(InputError, match="there is no pod in it") as caught:
        load_pod_manifests(tmp_path)
    assert "subfolders are not read" in caught.value.hint


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_pod_manifests(tmp_path / "gone")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_is_refused_instead_of_being_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="not a file or folder"):
        load_pod_manifests(tmp_path)


def test_a_file_larger_than_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        load_pod_manifests(write(tmp_path, " " * (2**20 + 1)))
