"""A part of a file, cut out and checked again by who has nothing but it, a chain, a receipt and a key."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters import signing
from pipeline.domain.chunks import CHUNK_BYTES
from pipeline.domain.errors import Malformed
from pipeline.steps import excerpt
from pipeline.steps.digests import Digests
from tests.builders import mp4, session_ended
from tests.builders_archive import signer
from tests.steps.archived import FIRST, Stages, links_of

FILM = random.Random(5).randbytes(3 * CHUNK_BYTES + 1234)
KEYS = {signer().key_id: signer().public}


class Archived(Stages):
    """One recording of one film of three chunks and a bit."""

    def __init__(self) -> None:
        super().__init__()
        digests = Digests(tree=True, sm3=False)
        digests.update(FILM)
        done = digests.done()
        place = f"sha256/{done.sha256[:2]}/{done.sha256}.mp4"
        stat = self.store.put_bytes("originals", place, FILM, done.sha256, retain_until=None)
        ref = replace(self.original(0, ".mp4"), key=stat.key, version_id=stat.version_id, sha256=done.sha256)
        film = mp4(0, object=replace(ref, size_bytes=len(FILM)), recording_id=FIRST)
        self.archive(list(links_of([replace(film, chunk_root=done.chunk_root), session_ended(recording_id=FIRST)])))


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc")
    Archived().copy(folder)
    return folder


@pytest.fixture
def handed(disc: Path, tmp_path: Path) -> Path:
    """The second chunk, with chain and receipt."""
    folder = tmp_path / "for-the-court"
    excerpt.make(io.BytesIO(FILM), CHUNK_BYTES, CHUNK_BYTES + 10, folder)
    for name in ("chain.jsonl", "receipt.json"):
        shutil.copy(next(disc.rglob(name)), folder)
    return folder


def results(folder: Path, keys: dict[str, bytes] = KEYS) -> list[str]:
    return [one.result for one in excerpt.check(folder, keys, signing.verify)[1]]


def test_an_excerpt_is_the_file_s_own_bytes_and_passes_every_step(handed: Path) -> None:
    assert (handed / excerpt.BYTES).read_bytes() == FILM[CHUNK_BYTES : 2 * CHUNK_BYTES]
    assert results(handed) == ["pass", "pass", "pass"]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, len(FILM) - 1), (len(FILM) - 1, len(FILM) - 1)])
def test_any_part_of_the_file_can_be_cut_out(tmp_path: Path, first: int, last: int) -> None:
    told = excerpt.make(io.BytesIO(FILM), first, last, tmp_path / "part")

    assert FILM[told.first_byte : told.last_byte + 1] == (tmp_path / "part" / excerpt.BYTES).read_bytes()
    assert results(tmp_path / "part") == ["pass", "not_covered", "not_covered"]


def _flip(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))

    return change


def _cut(folder: Path) -> None:
    (folder / excerpt.BYTES).write_bytes((folder / excerpt.BYTES).read_bytes()[:-1])


@pytest.mark.parametrize("change", [_flip(excerpt.BYTES), _cut])
def test_other_bytes_are_found(handed: Path, change: Callable[[Path], None]) -> None:
    change(handed)

    assert results(handed) == ["fail", "pass", "pass"]


def test_without_the_key_nobody_signed(handed: Path) -> None:
    assert results(handed, {}) == ["pass", "pass", "not_covered"]


def test_a_receipt_signed_by_another_fails(handed: Path) -> None:
    assert results(handed, {signer().key_id: bytes(32)}) == ["pass", "pass", "fail"]


@pytest.mark.parametrize("name", [excerpt.DOCUMENT, "chain.jsonl", "receipt.json"])
def test_a_document_that_is_none_is_named(handed: Path, name: str) -> None:
    (handed / name).write_bytes(b"{}\n")

    with pytest.raises(Malformed):
        results(handed)


def test_bytes_the_file_does_not_have_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected bytes within"):
        excerpt.make(io.BytesIO(FILM), 0, len(FILM), tmp_path / "part")

    assert not (tmp_path / "part").exists()


def test_what_is_there_already_stays(handed: Path) -> None:
    with pytest.raises(FileExistsError):
        excerpt.make(io.BytesIO(FILM), 0, 0, handed)

    assert results(handed) == ["pass", "pass", "pass"]
