"""``unbroken keys``: a key is made once, shown with its fingerprint, and published under lock."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.adapters.signing import KEY_FILE, load_signer
from pipeline.cli import main
from pipeline.domain.identity import Sha256
from pipeline.domain.keys import fingerprint, key_id, pem_of, published_key
from pipeline.domain.time import WallMs
from tests.builders import T0
from tests.builders_archive import signer
from tests.wire.contract import accepts


class Noon:
    def now(self) -> WallMs:
        return T0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    made = MemoryObjects(Noon())
    made.make_bucket("records", 1)
    monkeypatch.setattr("pipeline.adapters.objects_s3.open_store", lambda _settings: made)
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path))
    return made


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["unbroken", "keys", *words])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


Told = pytest.CaptureFixture[str]


def test_a_new_key_is_told_by_id_and_fingerprint_and_never_made_twice(
    store: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    made = run(monkeypatch, "new", "--json")
    (told,) = json.loads(capsys.readouterr().out)
    again = run(monkeypatch, "new")

    public = load_signer(None, tmp_path).public
    assert (made, again) == (0, 2)
    assert (told["key_id"], told["fingerprint"]) == (key_id(public), fingerprint(public))
    assert accepts("keys.v1", [told])
    assert "name another file" in capsys.readouterr().err


def test_what_is_shown_is_what_signs_here_and_what_the_archive_holds(
    store: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    ours = load_signer(None, tmp_path)
    (tmp_path / "old.pem").write_bytes(pem_of(signer().public))
    run(monkeypatch, "publish", str(tmp_path / "old.pem"))
    capsys.readouterr()

    code = run(monkeypatch, "show", "--json")

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert accepts("keys.v1", told)
    assert {one["key_id"]: (one["signs"], one["published"]) for one in told} == {
        ours.key_id: (True, None),
        signer().key_id: (False, published_key(signer().key_id)),
    }


def test_a_key_is_published_under_lock_once(
    store: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = load_signer(None, tmp_path)

    codes = [run(monkeypatch, "publish", *words) for words in (["--dry-run"], [], [])]

    stat = store.stat("records", published_key(ours.key_id))
    assert codes == [0, 0, 0]
    assert store.read("records", stat.key) == ours.public_pem
    assert (stat.lock_mode, len(store.versions("records", stat.key))) == ("COMPLIANCE", 1)


def test_a_dry_run_puts_nothing(store: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_signer(None, tmp_path)

    code = run(monkeypatch, "publish", "--dry-run")

    assert (code, list(store.list("records", ""))) == (0, [])


def test_a_machine_without_a_key_makes_none_by_looking(
    store: MemoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = run(monkeypatch, "show"), run(monkeypatch, "publish")

    assert codes == (0, 2)
    assert not (tmp_path / KEY_FILE).exists()


def test_a_key_under_another_s_name_is_told(
    store: MemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    wrong = published_key("0" * 16)
    data = signer().public_pem
    store.put_bytes("records", wrong, data, _sha(data), retain_until=None)

    code = run(monkeypatch, "show")

    assert code == 1
    assert f"expected public key {'0' * 16}, found {signer().key_id}" in capsys.readouterr().err


def _sha(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def test_a_store_that_is_away_still_lets_the_keys_here_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    # Port 9 (discard) is closed on any machine that runs our tests.
    for name, value in {
        "STORE_URL": "http://127.0.0.1:9",
        "STORE_ACCESS_KEY": "a",
        "STORE_SECRET_KEY": "b",
        "STATE": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"UNBROKEN_{name}", value)
    ours = load_signer(None, tmp_path)

    code = run(monkeypatch, "show")

    assert code == 3
    assert fingerprint(ours.public) in capsys.readouterr().out
