"""The folder connector: each file one row, each row true, no file stops another, nothing twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.connectors.folder import Row, discover, unsettled_s
from pipeline.connectors.journal import Journal
from pipeline.domain.annotation import Metadata
from pipeline.domain.errors import BrokerUnavailable, NotLocked, ObjectDiffers, StoreUnavailable
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStat
from tests.connectors.stage import Table, eventually, session


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "journals")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card"
    path.mkdir()
    return path


def write(path: Path, text: str | bytes = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def ends(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.name, row.outcome) for row in rows]


async def test_files_are_locked_announced_in_order_and_their_recording_ended(table: Table, card: Path) -> None:
    for name in ("10.mp4", "9.mp4", "1/2.mp4"):
        write(card / name, name)

    rows = await table.run(card)

    assert ends(rows) == [("1/2.mp4", "announced"), ("9.mp4", "announced"), ("10.mp4", "announced")]
    heard = table.heard.segments
    assert [(s.announcement, s.original_name) for s in heard] == [(1, "1/2.mp4"), (2, "9.mp4"), (3, "10.mp4")]
    assert {(s.ends, s.recording_id, s.unit) for s in heard} == {("declared", "rec-1", "二队")}
    for landed in heard:
        stat = table.store.stat("originals", landed.object.key)
        assert (stat.lock_mode, stat.sha256, stat.version_id) == (
            "COMPLIANCE",
            landed.object.sha256,
            landed.object.version_id,
        )
        assert stat.retain_until is not None
        assert stat.retain_until >= landed.received_at + 86_400_000
    (end,) = table.heard.statements
    assert end.ended is not None
    assert (end.recording_id, end.ended.expected_segments) == ("rec-1", 3)


async def test_importing_again_changes_nothing(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    await table.run(card)
    before = (list(table.heard.values), list(table.heard.said), table.store.sent_bytes)

    rows = await table.run(card)

    assert ends(rows) == [("a.mp4", "known")]
    assert before == (table.heard.values, table.heard.said, table.store.sent_bytes)


async def test_a_touched_file_with_the_same_bytes_is_known(table: Table, card: Path) -> None:
    path = write(card / "a.mp4")
    await table.run(card)
    os.utime(path, (1, 1))

    assert ends(await table.run(card)) == [("a.mp4", "known")]


async def test_a_duplicate_under_another_name_is_announced_and_not_sent_again(table: Table, card: Path) -> None:
    write(card / "a.mp4", "same")
    write(card / "b.mp4", "same")
    write(card / "sub/a.mp4", "other")

    rows = await table.run(card)

    assert [(row.name, row.duplicate) for row in rows] == [
        ("a.mp4", False),
        ("b.mp4", True),
        ("sub/a.mp4", False),
    ]
    assert len({landed.object.version_id for landed in table.heard.segments}) == 2
    assert table.store.sent_bytes == len("same") + len("other")


async def test_a_late_file_ends_its_recording_again_with_the_new_count(table: Table, card: Path) -> None:
    write(card / "a.mp4", "a")
    await table.run(card)
    write(card / "b.mp4", "b")

    await table.run(card)

    counts = [said.ended.expected_segments for said in table.heard.statements if said.ended]
    assert counts == [1, 2]
    assert [landed.announcement for landed in table.heard.segments] == [1, 2]


async def test_case_data_is_said_once_for_each_recording(table: Table, card: Path) -> None:
    write(card / "one/a.mp4", "a")
    write(card / "two/b.mp4", "b")
    told = Metadata(case_name="无照经营", party_name="某公司", recorded_date="2026-11-24")

    for _ in range(2):
        with table.intake(session(recording=None)) as intake:
            await intake.end(await intake.take(list(discover([card]))), told, "officer")

    said = [s for s in table.heard.statements if s.kind == "metadata"]
    assert [s.recording_id for s in said] == ["cam-1-one", "cam-1-two"]
    assert {s.metadata for s in said} == {told}


async def test_a_fixed_camera_s_files_fall_into_their_blocks(table: Table, card: Path) -> None:
    for name in ("20261124T075950Z.ts", "20261124T080000Z.ts"):
        write(card / name, name)

    await table.run(card, wanted=session("cctv", None))

    assert [landed.recording_id for landed in table.heard.segments] == [
        "cam-1-20261124T070000Z",
        "cam-1-20261124T080000Z",
    ]
    assert [said.recording_id for said in table.heard.statements] == [
        "cam-1-20261124T070000Z",
        "cam-1-20261124T080000Z",
    ]


# Bad input: each is a row with a reason, and the good file beside it is in.


def _zero(card: Path) -> None:
    write(card / "bad.mp4", "")


def _text(card: Path) -> None:
    write(card / "bad.txt", "notes")


def _thumbnail(card: Path) -> None:
    write(card / "bad.thm", b"\xff\xd8\xff\xe0")


def _link_loop(card: Path) -> None:
    (card / "bad.mp4").symlink_to("bad.mp4")


def _folder_link_loop(card: Path) -> None:
    (card / "bad").symlink_to(card, target_is_directory=True)


def _broken_link(card: Path) -> None:
    (card / "bad.mp4").symlink_to("nowhere")


def _pipe(card: Path) -> None:
    os.mkfifo(card / "bad.mp4")


def _socket(card: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(card)  # a socket's path may have 107 bytes at most
        try:
            made.bind("bad.mp4")
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_zero, "0 bytes: the recorder wrote nothing"),
        (_text, "not media by its name (.txt)"),
        (_thumbnail, "a thumbnail"),
        (_link_loop, "a symbolic link is not followed"),
        (_folder_link_loop, "a symbolic link is not followed"),
        (_broken_link, "a symbolic link is not followed"),
        (_pipe, "not a regular file"),
        (_socket, "not a regular file"),
    ],
)
async def test_what_is_no_recording_is_refused_with_the_reason(
    table: Table, card: Path, make: object, reason: str
) -> None:
    assert callable(make)
    make(card)
    write(card / "good.mp4")

    rows = await table.run(card)

    assert {row.name.split(".")[0]: row.outcome for row in rows} == {"bad": "refused", "good": "announced"}
    assert reason in str(next(row.reason for row in rows if row.outcome == "refused"))
    assert len(table.heard.statements) == 1


async def test_the_note_macos_leaves_beside_a_recording_is_no_unreadable_recording(table: Table, card: Path) -> None:
    write(card / "._good.mp4", b"\x00\x05\x16\x07\x00\x02\x00\x00" + bytes(4088))
    write(card / "._odd.mp4")
    write(card / "good.mp4", b"good")

    rows = await table.run(card)

    assert {row.name: row.outcome for row in rows} == {
        "._good.mp4": "refused",
        "._odd.mp4": "announced",
        "good.mp4": "announced",
    }


@pytest.mark.parametrize(
    "name",
    [
        "证据 一.mp4",
        "a b.mp4",
        "a\nb.mp4",
        os.fsdecode(b"\xff\xfe.mp4"),
        "'; DROP TABLE files;--.mp4",
        "x" * 250 + ".ts",
    ],
)
async def test_any_name_a_file_can_have_is_taken(table: Table, card: Path, name: str) -> None:
    write(card / name)

    assert ends(await table.run(card)) == [(table.heard.segments[0].original_name, "announced")]


async def test_a_hostile_text_named_as_media_is_kept_to_be_judged(table: Table, card: Path) -> None:
    write(card / "x.mp4", "ffconcat version 1.0\nfile '/etc/passwd'\n")

    assert ends(await table.run(card)) == [("x.mp4", "announced")]


@pytest.mark.parametrize("at_s", [1, 2**31 + 5, 2**33, -5])
async def test_a_file_of_any_date_is_taken(table: Table, card: Path, at_s: int) -> None:
    path = write(card / "a.mp4")
    os.utime(path, (at_s, at_s))

    rows = await table.run(card, wanted=session("cctv", None))

    assert ends(rows) == [("a.mp4", "announced")]
    (landed,) = table.heard.segments
    assert landed.claimed_start == (None if at_s < 0 else landed.claimed_start)


async def test_a_path_that_is_not_there_and_one_in_a_circle_are_rows(table: Table, card: Path) -> None:
    write(card / "good.mp4")
    (card.parent / "circle").symlink_to("circle")

    rows = await table.run(card.parent / "nowhere", card, card.parent / "circle")

    assert [row.reason for row in rows if row.outcome == "refused"] == [
        "not there (any more)",
        "a symbolic link is not followed, give the file itself",
    ]
    assert ("good.mp4", "announced") in ends(rows)


async def test_a_file_that_vanished_is_refused_and_its_recording_stays_open(table: Table, card: Path) -> None:
    write(card / "good.mp4", "good")
    gone = write(card / "gone.mp4")
    found = list(discover([card]))
    gone.unlink()

    with table.intake() as intake:
        rows = await intake.take(found)
        over = await intake.end(rows, None, "tester")

    assert {row.name: row.reason for row in rows} == {"good.mp4": None, "gone.mp4": "not there (any more)"}
    assert (over, table.heard.said) == ((), [])


async def test_a_folder_that_vanished_is_a_row(table: Table, card: Path) -> None:
    write(card / "sub/a.mp4")
    walking = discover([card])
    shutil.rmtree(card)

    with table.intake() as intake:
        rows = await intake.take(list(walking))

    assert [row.reason for row in rows] == ["not there (any more)"]


async def test_a_growing_file_is_refused_and_taken_when_it_is_done(table: Table, card: Path) -> None:
    path = write(card / "a.mp4", "half")
    found = list(discover([card]))
    write(path, "half and more")

    with table.intake() as intake:
        rows = await intake.take(found)
        await intake.end(rows, None, "tester")

        assert [(row.outcome, row.again) for row in rows] == [("refused", True)]
        assert "still being written: 4 bytes, then 13" in str(rows[0].reason)
        assert table.heard.said == []
    assert ends(await table.run(card)) == [("a.mp4", "announced")]
    assert len(table.heard.said) == 1


async def test_a_file_that_changed_after_it_was_taken_is_a_segment_of_its_own(table: Table, card: Path) -> None:
    path = write(card / "a.mp4", "half")
    await table.run(card)
    write(path, "half and more")

    await table.run(card)

    assert [landed.object.size_bytes for landed in table.heard.segments] == [4, 13]


@contextmanager
def unprivileged() -> Iterator[None]:
    """As nobody, if we are root: root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def closed_card() -> Iterator[Path]:
    """A card with a file and a folder that nobody but root may read."""
    with tempfile.TemporaryDirectory() as name:
        card = Path(name)
        card.chmod(0o755)
        write(card / "good.mp4", "good").chmod(0o644)
        write(card / "secret.mp4", "secret").chmod(0)
        write(card / "closed/a.mp4", "a")
        (card / "closed").chmod(0)
        yield card
        (card / "closed").chmod(0o755)


async def test_what_may_not_be_read_is_refused_with_the_remedy(table: Table, closed_card: Path) -> None:
    with table.intake() as intake, unprivileged():
        rows = await intake.take(list(discover([closed_card])))

    remedy = "permission denied: give this user the right to read it"
    assert {row.name: row.reason for row in rows} == {"closed": remedy, "good.mp4": None, "secret.mp4": remedy}


async def test_a_folder_that_cannot_be_looked_into_leaves_every_recording_open(table: Table, closed_card: Path) -> None:
    with table.intake(session(recording=None)) as intake, unprivileged():
        rows = await intake.take(list(discover([closed_card / "good.mp4", closed_card / "closed"])))
        over = await intake.end(rows, None, "tester")

    assert sorted(row.outcome for row in rows) == ["announced", "refused"]
    assert (over, table.heard.said) == ((), [])


async def test_a_path_given_twice_is_one_file(table: Table, card: Path) -> None:
    write(card / "a.mp4")

    assert ends(await table.run(card, card / "a.mp4", card)) == [("a.mp4", "announced")]


class Bottomless(MemoryObjects):
    """Takes large files without keeping their bytes."""

    def put_file(self, bucket: str, key: str, path: Path, sha256: Sha256, *, retain_until: WallMs | None) -> ObjectStat:
        stat = self.put_bytes(bucket, key, b"", sha256, retain_until=retain_until)
        return replace(stat, size_bytes=path.stat().st_size)


async def test_three_gigabytes_are_hashed_in_bounded_memory(tmp_path: Path, card: Path) -> None:
    table = Table(tmp_path / "journals", Bottomless(SystemClock()))
    with write(card / "a.mp4").open("r+b") as file:
        file.truncate(3 << 30)

    tracemalloc.start()
    rows = await table.run(card)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert ends(rows) == [("a.mp4", "announced")]
    assert table.heard.segments[0].object.size_bytes == 3 << 30
    assert peak_bytes < 32 << 20


# Services that fail.


async def test_a_store_that_comes_back_is_waited_for(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    table.store.faults += [Fault("stat", StoreUnavailable("away"))] * 2

    assert ends(await table.run(card)) == [("a.mp4", "announced")]


async def test_a_store_that_is_not_trusted_gets_nothing_and_the_import_says_why_and_goes_on_alone(
    table: Table, card: Path
) -> None:
    write(card / "a.mp4")
    table.trust.why = "a shorter lock: accepted"

    with capture_logs() as said, table.intake(session(patience_s=None)) as intake:
        taking = asyncio.create_task(intake.take(list(discover([card]))))
        await eventually(lambda: bool(said))
        kept = list(table.store.list("originals", ""))
        table.trust.why = ""
        rows = await taking

    assert kept == []
    assert ends(rows) == [("a.mp4", "announced")]
    assert [(line["event"], line.get("why")) for line in said] == [
        ("intake.waiting", "a shorter lock: accepted"),
        ("intake.resumed", None),
    ]


async def test_what_is_known_from_before_needs_no_trust(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    await table.run(card)
    table.trust.why = "not tried yet"

    assert ends(await table.run(card)) == [("a.mp4", "known")]


async def test_a_store_that_stays_away_ends_the_import_and_the_next_goes_on(table: Table, card: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(card / name, name)
    table.store.faults += [Fault("stat", StoreUnavailable("away"))] * 100

    with pytest.raises(StoreUnavailable):
        await table.run(card)
    table.store.faults.clear()
    await table.run(card)

    assert [landed.announcement for landed in table.heard.segments] == [1, 2]


async def test_a_message_that_may_have_been_sent_is_sent_again_as_it_was(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    table.heard.faults.append((BrokerUnavailable("no answer"), True))

    await table.run(card)

    assert len(table.heard.values) == 2
    assert len(set(table.heard.values)) == 1


async def test_a_broker_that_stays_away_loses_no_number(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    table.heard.faults += [(BrokerUnavailable("away"), False)] * 100
    with pytest.raises(BrokerUnavailable):
        await table.run(card)
    table.heard.faults.clear()
    (card / "a.mp4").unlink()
    write(card / "b.mp4", "b")

    await table.run(card)

    assert [(s.announcement, s.original_name) for s in table.heard.segments] == [(1, "a.mp4"), (2, "b.mp4")]


async def test_other_bytes_under_a_file_s_key_refuse_that_file_alone(table: Table, card: Path) -> None:
    write(card / "a.mp4", "a")
    write(card / "b.mp4", "b")
    table.store.faults.append(Fault("stat", ObjectDiffers("the key holds other bytes")))

    rows = await table.run(card)

    assert sorted(row.outcome for row in rows) == ["announced", "refused"]


async def test_a_store_that_does_not_lock_gets_no_further_file(table: Table, card: Path) -> None:
    write(card / "a.mp4")
    table.store.faults.append(Fault("send", NotLocked("not locked")))

    with pytest.raises(NotLocked):
        await table.run(card)

    assert table.heard.values == []


class Killed(BaseException):
    """The process's death, as far as a test in the same process can have it."""


@pytest.mark.parametrize("place", ["announce", "delivered", "say", "said"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_life_that_ends_anywhere_is_continued_by_the_next(
    table: Table, card: Path, monkeypatch: pytest.MonkeyPatch, place: str, after: bool
) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write(card / name, name)
    whole = getattr(Journal, place)

    def dies(*arguments: object, **named: object) -> None:
        if after:
            whole(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Journal, place, dies)
        with pytest.raises(Killed):
            await table.run(card)
    await table.run(card)

    announced = dict(zip(table.heard.values, table.heard.segments, strict=True))
    assert [landed.announcement for landed in announced.values()] == [1, 2, 3]
    assert {landed.original_name for landed in announced.values()} == {"a.mp4", "b.mp4", "c.mp4"}
    assert table.store.sent_bytes == 15
    counts = {said.ended.expected_segments for said in table.heard.statements if said.ended}
    assert counts == {3}


@pytest.mark.parametrize(("age_s", "wait_s"), [(-60, 2), (0, 2), (1.5, 0.5), (2, 0), (60, 0)])
def test_a_file_just_written_is_waited_for(card: Path, age_s: float, wait_s: float) -> None:
    path = write(card / "a.mp4")
    os.utime(path, (1000, 1000))
    (found,) = discover([path])

    assert unsettled_s(found, WallMs(int((1000 + age_s) * 1000)), 2) == pytest.approx(wait_s)
