"""The journal keeps the count, whatever happens to the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.connectors.journal import FileStamp, Journal, JournalBusy, New, SeenFile, open_journal, read_journals
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.time import WallMs

SOURCE = SourceId("cam-1")
RECORDING = RecordingId("rec-1")


def new(name: str, digest: str = "a", recording: RecordingId = RECORDING) -> New:
    stamp = FileStamp(size_bytes=1, mtime_ns=2, inode=3)
    seen = SeenFile(path=Path(name), stamp=stamp, sha256=Sha256(digest * 64), received_at=WallMs(4))
    return New(seen=seen, recording_id=recording, message=lambda number: f"{name}:{number}".encode())


def numbers(journal: Journal) -> list[int]:
    return [item.number for item in journal.undelivered()]


def test_announcements_count_from_one_without_a_hole_across_lives(tmp_path: Path) -> None:
    for names in (["a", "b"], ["c"], []):
        with open_journal(tmp_path, SOURCE, "folder") as journal:
            journal.announce([new(name) for name in names])

    with open_journal(tmp_path, SOURCE, "folder") as journal:
        assert numbers(journal) == [1, 2, 3]
        assert [item.value for item in journal.undelivered()] == [b"a:1", b"b:2", b"c:3"]


def test_the_same_file_for_the_same_recording_has_one_number(tmp_path: Path) -> None:
    with open_journal(tmp_path, SOURCE, "folder") as journal:
        duplicates = journal.announce([new("a"), new("a"), new("b"), new("a", recording=RecordingId("rec-2"))])

        assert numbers(journal) == [1, 2, 3]
        assert duplicates == (False, True, True, True)


def test_a_message_that_cannot_be_written_takes_no_number(tmp_path: Path) -> None:
    def fail(_number: int) -> bytes:
        raise ValueError("no")

    with open_journal(tmp_path, SOURCE, "folder") as journal:
        broken = New(seen=new("b").seen, recording_id=RECORDING, message=fail)
        with pytest.raises(ValueError, match="no"):
            journal.announce([new("a"), broken])
        journal.announce([new("c")])

        assert [item.value for item in journal.undelivered()] == [b"c:1"]


def test_only_what_was_not_delivered_is_sent_again(tmp_path: Path) -> None:
    with open_journal(tmp_path, SOURCE, "folder") as journal:
        journal.announce([new("a"), new("b"), new("c")])
        journal.delivered(journal.undelivered()[:2])

    with open_journal(tmp_path, SOURCE, "folder") as journal:
        assert numbers(journal) == [3]


def test_annotations_are_said_once_in_the_order_they_were_made(tmp_path: Path) -> None:
    with open_journal(tmp_path, SOURCE, "folder") as journal:
        journal.say("z", b"1", ends=RECORDING, expected=2)
        journal.say("a", b"2")
        journal.say("z", b"other")

        assert list(journal.unsaid().items()) == [("z", b"1"), ("a", b"2")]
        assert journal.ended(RECORDING) == 2
        journal.said("z")
        assert list(journal.unsaid()) == ["a"]


def test_a_lost_journal_is_another_connector(tmp_path: Path) -> None:
    with open_journal(tmp_path / "one", SOURCE, "folder") as journal:
        first = journal.connector
    with open_journal(tmp_path / "one", SOURCE, "folder") as journal:
        again = journal.connector
    with open_journal(tmp_path / "two", SOURCE, "folder") as journal:
        other = journal.connector

    assert first == again != other


def test_a_source_is_brought_in_by_one_process_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom pipeline.connectors.journal import open_journal\n"
        "with open_journal(pathlib.Path(sys.argv[1]), 'cam-1', 'folder'):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        with pytest.raises(JournalBusy, match=f"process {other.pid}"), open_journal(tmp_path, SOURCE, "folder"):
            pass
        with open_journal(tmp_path, SourceId("cam-2"), "folder"):
            pass
    finally:
        other.kill()
        other.wait()

    with open_journal(tmp_path, SOURCE, "folder"):
        pass


def test_a_file_that_is_no_journal_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "cam-1.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(Misconfigured, match="put it aside"), open_journal(tmp_path, SOURCE, "folder"):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(Misconfigured, match="cannot be written"), open_journal(tmp_path / "file", SOURCE, "folder"):
        pass


def test_a_journal_of_another_release_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path, SOURCE, "folder") as journal, journal._transaction():
        journal._connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")

    with pytest.raises(Misconfigured, match="found 99"), open_journal(tmp_path, SOURCE, "folder"):
        pass


def test_what_was_seen_of_a_file_is_replaced_when_it_is_seen_again(tmp_path: Path) -> None:
    path = Path("ab\udcff\n.mp4")
    with open_journal(tmp_path, SOURCE, "folder") as journal:
        for digest in ("a", "b"):
            stamp = FileStamp(size_bytes=1, mtime_ns=2**62, inode=2**63 - 1)
            seen = SeenFile(path=path, stamp=stamp, sha256=Sha256(digest * 64), received_at=WallMs(1))
            journal.see(seen)

        assert journal.seen(path) == seen
        assert journal.seen(Path("other")) is None


def test_a_journal_is_read_beside_the_process_that_writes_it(tmp_path: Path) -> None:
    with open_journal(tmp_path, SOURCE, "folder") as journal:
        journal.announce([new("a"), new("b", "b")])
        journal.delivered(journal.undelivered()[:1])
        journal.see(new("c", "c").seen)
        journal.say("end-1", b"over")

        (found,) = read_journals(tmp_path)

    assert found.source_id == SOURCE
    assert [(item.number, item.value) for item in found.announcements] == [(1, b"a:1"), (2, b"b:2")]
    assert found.statements == (b"over",)
    assert found.begun == ("c",)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "cam-1.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 40)

    with pytest.raises(Misconfigured, match=r"cam-1\.sqlite"):
        read_journals(tmp_path)
