"""A dock folder is cleared of what a genuine receipt vouches for, once, on written grounds; everything else stays."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters import signing
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import Fault
from pipeline.adapters.signing import make_key
from pipeline.connectors.clearing import Arrived, Cleared, Clearing, arrived, watch
from pipeline.connectors.folder import Intake, Row, discover
from pipeline.domain.archive import LockedObject, RecordingArchived, objects_digest, receipt_document, signed_message
from pipeline.domain.errors import StoreUnavailable, UnbrokenError
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.time import WallMs
from tests.builders_archive import archived, signer
from tests.connectors.stage import Table, eventually, session

KEYS = {signer().key_id: signer().public}
SOURCE = SourceId("cam-1")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    made = Table(tmp_path / "journals")
    made.store.make_bucket("records", lock_days=1)
    return made


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card"
    path.mkdir()
    for name in ("a", "b"):
        (path / f"{name}.mp4").write_bytes(f"bytes of {name}".encode())
    return path


def clearing(table: Table, intake: Intake, **changes: Any) -> Clearing:
    made = Clearing(
        store=table.store,
        journal=intake.journal,
        clock=SystemClock(),
        source_id=SOURCE,
        records="records",
        keys=KEYS,
        signed=signing.verify,
    )
    return replace(made, **changes)


def receipt(table: Table, revision: int = 1, **changes: Any) -> RecordingArchived:
    """The receipt of everything announced so far, as the archive puts it."""
    originals = {landed.object.sha256: landed.object for landed in table.heard.segments}
    until = [table.store.stat("originals", one.key).retain_until or WallMs(0) for one in originals.values()]
    locked = tuple(
        LockedObject(object=one, lock_mode="COMPLIANCE", retain_until=at)
        for one, at in zip(originals.values(), until, strict=True)
    )
    made = archived(
        source_id=SOURCE,
        source_kind="body_camera",
        recording_id=RecordingId("rec-1"),
        revision=revision,
        key_id=signer().key_id,
    )
    made = replace(made, **{"originals": locked, **changes})
    made = replace(made, objects_sha256=objects_digest(made.originals, made.records))
    signature = base64.b64encode(signer().sign(signed_message(made))).decode()
    made = replace(made, signature=changes.get("signature", signature))
    put(table, receipt_document(made), revision)
    return made


def put(table: Table, data: bytes, revision: int = 1) -> None:
    key = f"recordings/{SOURCE}/rec-1/r{revision}/receipt.json"
    table.store.put_bytes("records", key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=None)


async def brought_in(intake: Intake, card: Path) -> list[Arrived]:
    rows: list[Row] = await intake.take(list(discover([card])))
    return list(arrived(rows))


def left(card: Path) -> list[str]:
    return sorted(path.name for path in card.iterdir())


def kept(told: list[Cleared]) -> dict[str, str]:
    return {one.path.name: one.kept for one in told}


async def test_what_a_receipt_vouches_for_is_removed_and_written_down(table: Table, card: Path) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)

        told = clearing(table, intake).clear(files)

        assert kept(told) == {"a.mp4": "", "b.mp4": ""}
        assert left(card) == []
        assert (intake.journal.uncleared(), intake.journal.intended_clearings()) == ((), ())


async def test_without_a_receipt_everything_stays(table: Table, card: Path) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)

        told = clearing(table, intake).clear(files)

    assert set(kept(told).values()) == {"no receipt yet: its recording is not archived"}
    assert len(left(card)) == 2


Lie = Callable[[Table], object]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (lambda table: receipt(table, signature=base64.b64encode(bytes(64)).decode()), "is not what key"),
        (lambda table: receipt(table, signature="no base64"), "is not what key"),
        (lambda table: receipt(table, key_id="00" * 8), "not among those given"),
        (lambda table: receipt(table, originals=()), "does not list these bytes"),
        (lambda table: receipt(table, recording_id=RecordingId("rec-2")), "the receipt is of"),
        (lambda table: put(table, b"{}"), "no receipt yet"),
    ],
    ids=["signature", "no signature", "key", "list", "recording", "no receipt"],
)
async def test_a_receipt_that_does_not_hold_clears_nothing(table: Table, card: Path, lie: Lie, why: str) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        lie(table)

        told = clearing(table, intake).clear(files)

    assert [why in reason for reason in kept(told).values()] == [True, True]
    assert len(left(card)) == 2


async def test_a_receipt_whose_list_was_changed_after_signing_clears_nothing(table: Table, card: Path) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        made = receipt(table, originals=())
        full = receipt(table, revision=2)
        put(table, receipt_document(replace(full, revision=3, signature=made.signature)), 3)

        told = clearing(table, intake).clear(files)

    assert all("is not what key" in reason for reason in kept(told).values())


async def test_what_the_store_does_not_confirm_stays(table: Table, card: Path) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        made = receipt(table)
        longer = tuple(replace(item, retain_until=WallMs(item.retain_until + 1)) for item in made.originals)
        receipt(table, revision=2, originals=longer)

        told = clearing(table, intake).clear(files)

    assert all("the store does not confirm the lock" in reason for reason in kept(told).values())


@pytest.mark.parametrize("same_size", [True, False])
async def test_a_file_that_changed_since_stays(table: Table, card: Path, same_size: bool) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)
        (card / "a.mp4").write_bytes(b"bytes of A" if same_size else b"more bytes of a")

        told = clearing(table, intake).clear(files)

    assert kept(told) == {"a.mp4": "it changed since it was brought in; import it again", "b.mp4": ""}
    assert left(card) == ["a.mp4"]


async def test_a_link_that_took_a_file_s_place_is_not_followed(table: Table, card: Path, tmp_path: Path) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)
        (card / "a.mp4").rename(tmp_path / "elsewhere.mp4")
        (card / "a.mp4").symlink_to(tmp_path / "elsewhere.mp4")

        told = clearing(table, intake).clear(files)

    assert kept(told)["a.mp4"].startswith("cannot be read")
    assert (tmp_path / "elsewhere.mp4").exists()


async def test_a_file_that_changes_between_reading_and_removing_stays(
    table: Table, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)
        intend = intake.journal.intend_clearing

        def written_meanwhile(path: Path, *grounds: Any) -> None:
            intend(path, *grounds)
            os.utime(path, ns=(1, 1))

        monkeypatch.setattr(intake.journal, "intend_clearing", written_meanwhile)
        told = clearing(table, intake).clear(files)

    assert set(kept(told).values()) == {"it changed while it was read; import it again"}
    assert len(left(card)) == 2


@pytest.mark.parametrize("killed", ["before", "after"])
async def test_killed_around_the_removal_the_next_life_goes_on(
    table: Table, card: Path, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def die(path: Path) -> None:
        if killed == "after":
            unlink(path)
        raise KeyboardInterrupt

    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)
        monkeypatch.setattr(Path, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            clearing(table, intake).clear(files)
        monkeypatch.undo()
        assert intake.journal.intended_clearings() == (files[0].path,)

    with table.intake() as intake:
        again = await brought_in(intake, card)
        told = clearing(table, intake).clear(again)

        assert set(kept(told).values()) == {""}
        assert left(card) == []
        assert (intake.journal.uncleared(), intake.journal.intended_clearings()) == ((), ())


async def test_after_a_rotation_the_receipt_s_own_key_decides(table: Table, card: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "key.pem")
    with table.intake() as intake:
        files = await brought_in(intake, card)
        receipt(table)

        wrong = clearing(table, intake, keys={other.key_id: other.public}).clear(files)
        both = clearing(table, intake, keys={**KEYS, other.key_id: other.public}).clear(files)

    assert all("not among those given" in reason for reason in kept(wrong).values())
    assert set(kept(both).values()) == {""}


async def test_a_file_brought_in_by_nobody_is_never_removed(table: Table, card: Path) -> None:
    with table.intake() as intake:
        (known, *_) = await brought_in(intake, card)
        receipt(table)
        copy = card / "copy.mp4"
        copy.write_bytes(known.path.read_bytes())

        told = clearing(table, intake).clear([Arrived(path=copy, sha256=known.sha256, recording_id=known.recording_id)])

    assert kept(told) == {"copy.mp4": "it changed since it was brought in; import it again"}
    assert copy.exists()


async def test_a_watched_folder_is_cleared_as_receipts_come_and_a_store_that_is_away_is_waited_for(
    table: Table, card: Path
) -> None:
    stop, heard = asyncio.Event(), list[Cleared | UnbrokenError]()
    with table.intake(session()) as intake:
        await brought_in(intake, card)
        (card.parent / "other.mp4").write_bytes(b"bytes of a")
        watching = asyncio.create_task(watch(clearing(table, intake), card, stop, heard.append, every_s=0.02))
        await eventually(lambda: len(heard) >= 2)
        receipt(table)
        table.store.faults = [Fault("stat", StoreUnavailable("away"))]
        await eventually(lambda: not list(card.iterdir()))
        stop.set()
        await watching

    assert any(isinstance(one, StoreUnavailable) for one in heard)
    assert (card.parent / "other.mp4").exists()
