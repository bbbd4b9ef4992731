"""The receipt key is made once, kept private, refused when it is not what it must be, and readable for openssl."""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from pipeline.adapters.signing import (
    KEY_FILE,
    Ed25519Signer,
    known_keys,
    load_signer,
    make_key,
    open_signer,
    read_public,
    verify,
)
from pipeline.domain.errors import Misconfigured
from pipeline.settings import Settings

MESSAGE = b'{"archived_at":"2026-11-24T08:00:00.000Z"}'


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"

    first, second = load_signer(None, state), load_signer(None, state)

    assert first.public == second.public
    assert (state / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in state.iterdir()) == ["receipt-key.pem", "receipt-key.pub.pem"]


def test_workers_that_start_together_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load_signer(None, tmp_path).public, range(8)))

    assert len(set(made)) == 1


@pytest.mark.parametrize("flipped", [0, 31, 63])
def test_a_signature_holds_for_its_message_and_key_only(tmp_path: Path, flipped: int) -> None:
    ours, other = load_signer(None, tmp_path / "a"), load_signer(None, tmp_path / "b")
    signature = ours.sign(MESSAGE)
    changed = bytearray(signature)
    changed[flipped] ^= 1

    assert verify(ours.public, MESSAGE, signature)
    assert not verify(other.public, MESSAGE, signature)
    assert not verify(ours.public, MESSAGE + b" ", signature)
    assert not verify(ours.public, MESSAGE, bytes(changed))


def test_the_key_id_is_the_beginning_of_the_public_key_s_digest(tmp_path: Path) -> None:
    ours = load_signer(None, tmp_path)

    assert ours.key_id == hashlib.sha256(ours.public).hexdigest()[:16]


def test_openssl_verifies_what_we_sign(tmp_path: Path) -> None:
    signature = load_signer(None, tmp_path).sign(MESSAGE)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(signature)

    command = "openssl pkeyutl -verify -pubin -inkey receipt-key.pub.pem -rawin -in message -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")


def test_a_named_key_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        load_signer(tmp_path / "absent.pem", tmp_path)


def test_a_named_key_is_used_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    made = load_signer(None, tmp_path / "state")
    named = tmp_path / "named.pem"
    named.write_bytes((tmp_path / "state" / KEY_FILE).read_bytes())
    named.chmod(0o600)

    found = load_signer(named, tmp_path / "other")

    assert found.public == made.public
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named.pem", "state"]


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="cannot be used"):
        load_signer(path, tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    other = generate_private_key(SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="expected Ed25519"):
        load_signer(path, tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_signer(None, tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)

    with pytest.raises(Misconfigured, match=f"expected mode 600, found {mode:o}"):
        load_signer(None, tmp_path)


def test_a_half_made_key_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Misconfigured, match="No space left"):
        load_signer(None, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_signer_is_made_of_a_key_in_memory() -> None:
    from tests.builders_archive import signer

    assert isinstance(signer(), Ed25519Signer)
    assert signer().sign(MESSAGE) == signer().sign(MESSAGE)


def test_another_key_is_made_beside_the_first_and_both_are_known(tmp_path: Path) -> None:
    first, second = make_key(tmp_path / KEY_FILE), make_key(tmp_path / "receipt-key-2.pem")

    known = known_keys((), tmp_path)

    assert known == {first.key_id: first.public, second.key_id: second.public}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.pem") if ".pub" not in path.name} == {0o600}
    assert (
        open_signer(Settings(state=tmp_path, signing_key_file=tmp_path / "receipt-key-2.pem")).public == second.public
    )


@pytest.mark.parametrize("there", ["key.pem", "key.pub.pem"])
def test_making_a_key_overwrites_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"kept")

    with pytest.raises(FileExistsError):
        make_key(tmp_path / "key.pem")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(there, b"kept")]


def test_a_lost_private_key_is_not_replaced_while_its_public_half_is_there(tmp_path: Path) -> None:
    load_signer(None, tmp_path)
    (tmp_path / KEY_FILE).unlink()

    with pytest.raises(Misconfigured, match="cannot be used"):
        load_signer(None, tmp_path)


def test_a_key_may_come_from_the_environment(tmp_path: Path) -> None:
    made = make_key(tmp_path / KEY_FILE)
    pem = (tmp_path / KEY_FILE).read_text("ascii")

    found = open_signer(Settings(state=tmp_path / "empty", signing_key=SecretStr(pem)))

    assert found.public == made.public
    assert not (tmp_path / "empty").exists()


def test_a_key_given_twice_is_refused_rather_than_chosen(tmp_path: Path) -> None:
    make_key(tmp_path / KEY_FILE)
    pem = SecretStr((tmp_path / KEY_FILE).read_text("ascii"))

    with pytest.raises(Misconfigured, match="given twice"):
        open_signer(Settings(state=tmp_path, signing_key=pem, signing_key_file=tmp_path / KEY_FILE))


def test_a_key_in_the_environment_that_is_none_is_named_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="UNBROKEN_SIGNING_KEY") as caught:
        open_signer(Settings(state=tmp_path, signing_key=SecretStr("hunter2")))

    assert "hunter2" not in str(caught.value)


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    make_key(tmp_path / KEY_FILE)

    with pytest.raises(Misconfigured, match="cannot be used"):
        read_public(tmp_path / KEY_FILE)
