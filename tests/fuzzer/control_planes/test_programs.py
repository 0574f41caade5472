from pathlib import Path

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms, find_programs

HANDED_IN = ControlPlanePrograms(etcd=["all-in-one", "etcd"], apiserver=["all-in-one", "apiserver"])


def assets(folder: Path, *names: str) -> dict[str, str]:
    for name in names:
        (folder / name).touch(mode=0o755)
    return {"KUBEBUILDER_ASSETS": str(folder)}


def test_the_folder_the_user_has_set_comes_first(tmp_path: Path) -> None:
    names = ("etcd", "kube-apiserver", "kubectl", "kube-controller-manager")
    found = find_programs(HANDED_IN, environment=assets(tmp_path, *names))
    assert found == ControlPlanePrograms(
        etcd=[tmp_path / "etcd"],
        apiserver=[tmp_path / "kube-apiserver"],
        controller_manager=[tmp_path / "kube-controller-manager"],
        kubectl=tmp_path / "kubectl",
    )


def test_controllers_and_kubectl_may_be_missing_there(tmp_path: Path) -> None:
    found = find_programs(environment=assets(tmp_path, "etcd", "kube-apiserver"))
    assert (found.controller_manager, found.kubectl) == (None, None)


def test_without_that_folder_the_programs_handed_in_are_taken() -> None:
    assert find_programs(HANDED_IN, environment={}) is HANDED_IN


def test_a_folder_that_lacks_a_program_is_no_reason_to_take_another_version(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no program kube-apiserver in it"):
        find_programs(HANDED_IN, environment=assets(tmp_path, "etcd"))


def test_without_any_programs_it_says_where_to_get_them() -> None:
    with pytest.raises(InputError) as caught:
        find_programs(environment={})
    assert "setup-envtest" in caught.value.hint
