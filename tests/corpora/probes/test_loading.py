"""Is there a probe for every new field, and is every probe well made?"""

import re
from collections.abc import Iterator
from importlib import resources

import pytest
import yaml

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.probes.loading import Place, Probe, load_probes
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.generation.canaries import fill

PROBES = load_probes()
CATALOGUE = load_catalogue()
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}?")
_VALID = re.compile(r"\$\{(c|int:\d+|pick:[^|}]+(\|[^|}]+)+|keep:[^}]+)\}")
every_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))


def strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from strings(inner)


def test_every_creatable_new_field_has_a_probe() -> None:
    """Fails when a minor is added: write a probe for each field it names."""
    probed = {path for probe in PROBES.values() for path in probe.all_paths()}
    missing = sorted(
        str(field.path)
        for field in CATALOGUE.new_roots()
        if field.creatable and field.path not in probed
    )
    assert not missing, f"new fields without a probe in corpora/probes/data: {missing}"


@every_probe
def test_a_probe_sets_fields_that_exist_or_none_has_yet(probe: Probe) -> None:
    for path in probe.all_paths():
        assert (CATALOGUE.get(path) is None) is probe.future, path


@every_probe
def test_a_probe_has_a_fragment_and_says_in_a_sentence_what_it_is_for(probe: Probe) -> None:
    assert probe.because.endswith(".")
    assert probe.fields
    assert bool(probe.container) is (probe.at is not Place.POD)
    assert probe.container or probe.spec or probe.metadata


@every_probe
def test_placeholders_are_of_the_known_kinds(probe: Probe) -> None:
    for text in strings([probe.container, probe.spec, probe.metadata]):
        for found in _PLACEHOLDER.findall(text):
            assert _VALID.fullmatch(found), text


@every_probe
def test_two_containers_get_different_values_where_there_are_placeholders(probe: Probe) -> None:
    if not any("${" in text for text in strings(probe.container)):
        return
    assert fill(probe.container, 0) != fill(probe.container, 1)


@every_probe
def test_its_fragment_sets_the_fields_it_names(probe: Probe) -> None:
    for field in probe.fields:
        *way, last = re.sub(r"\[\]", "", field).split(".")
        top: list[JsonValue] = [
            probe.container
            if probe.at is not Place.POD
            else {"spec": probe.spec, "metadata": probe.metadata}
        ]
        for step in (*way, last):
            members = [m[step] for m in top if isinstance(m, dict) and step in m]
            top = [e for m in members for e in (m if isinstance(m, list) else [m])]
        assert top, f"{field} is not in the fragment"


def test_data_files_have_no_members_that_nobody_reads() -> None:
    """In YAML's one-line form a comma in an unquoted sentence ends it and starts a member."""
    known = {
        *("name", "at", "fields", "because", "container", "pod", "metadata", "init"),
        *("excludes", "since", "until", "future"),
    }
    for file in resources.files("webhook_fuzz.corpora.probes").joinpath("data").iterdir():
        for entry in yaml.safe_load(file.read_text("utf-8"))["probes"]:
            assert entry.keys() <= known, f"{entry['name']} in {file.name}"


def test_a_probe_that_is_for_some_minors_only_fits_those() -> None:
    reference = PROBES["workload-reference"]
    assert [minor for minor in range(33, 38) if reference.fits(Minor(1, minor))] == [35]
    assert PROBES["native-sidecar"].fits(Minor(1, 21))


def test_paths_are_told_for_the_list_a_container_is_in() -> None:
    probe = PROBES["stop-signal"]
    assert probe.paths("initContainers") == ("spec.initContainers[].lifecycle.stopSignal",)
    assert set(probe.all_paths()) == {
        "spec.initContainers[].lifecycle.stopSignal",
        "spec.containers[].lifecycle.stopSignal",
    }
