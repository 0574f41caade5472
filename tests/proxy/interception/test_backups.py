"""Is a backup whole, for its owner only, and not believed when it was changed?"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intercepted import MESH, SERVER, files, staging
from webhook_fuzz.corpora.cluster_api.leases import Lease
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.proxy.interception.backups import (
    Backup,
    find_backups,
    load_backup,
    remove_backup,
    remove_partial,
    save_backup,
)
from webhook_fuzz.proxy.interception.marks import Mark


def backup() -> Backup:
    original = staging().configuration(MESH)
    lease = Lease(owner="here/1.2", expires=datetime(2030, 1, 1, tzinfo=UTC))
    webhook = objects_at(original, "webhooks")[0]
    mark = Mark(
        configuration=MESH,
        webhook=str(webhook["name"]),
        session="ab12",
        lease=lease,
        original=object_at(webhook, "clientConfig"),
        ours={"url": "https://proxy.example.com"},
    )
    return Backup(session="ab12", server=SERVER, lease=lease, originals=(original,), marks=(mark,))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    file = save_backup(backup(), folder)
    assert load_backup(file) == backup()
    assert files(folder) == ["ab12.json"]


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    file = save_backup(backup(), folder)
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_it_holds_the_whole_configuration_for_people_to_read(tmp_path: Path) -> None:
    document = json.loads(save_backup(backup(), tmp_path).read_text())
    assert document["configurations"][0]["object"] == staging().configuration(MESH)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON"),
        ("[]", "no backup"),
        ('{"schema": "another"}', "no backup"),
        ('{"schema": "webhook-fuzz/interception/v1"}', "checksum"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        load_backup(file)
    assert not [*find_backups(tmp_path)]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = save_backup(backup(), tmp_path)
    file.write_text(file.read_text().replace("proxy.example.com", "evil.example.com"))
    with pytest.raises(InputError, match="checksum"):
        load_backup(file)


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no backup can be written") as caught:
        save_backup(backup(), tmp_path / "file")
    assert "Nothing was changed" in caught.value.hint


def test_a_file_that_is_gone_already_is_no_error(tmp_path: Path) -> None:
    remove_backup(tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot be removed"):
        remove_backup(Path("/proc/self/x.json").parent)


def test_half_a_file_of_a_living_process_stays(tmp_path: Path) -> None:
    own, gone = tmp_path / f".a.{os.getpid()}.partial", tmp_path / ".b.999999999.partial"
    own.touch()
    gone.touch()
    remove_partial(tmp_path)
    assert files(tmp_path) == [own.name]
