"""A verification that was interrupted goes on where it was, and its answer is that of one that was not."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest

from pipeline.adapters import signing
from pipeline.adapters.objects_folder import FolderObjects
from pipeline.cli.verify_resume import ResumeFile
from pipeline.domain.errors import Misconfigured
from pipeline.domain.verify import Item
from pipeline.steps.verify import Verification
from tests.builders import SOURCE
from tests.builders_archive import signer
from tests.steps.archived import FIRST, SECOND, THIRD, Archive, link_copy, put

RUN = {"where": "disc"}
ITEM = Item(about="a r1", check="chain", result="pass", place="", expected="", found="8 links")
FAULT = Item(about="a r1", check="chain", result="fail", place="link 0", expected="x", found="y")


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc")
    Archive().copy(folder)
    return folder


def reader(folder: Path, read: list[int], finished: ResumeFile | None = None) -> Verification:
    return Verification(
        store=FolderObjects(folder),
        records="records",
        originals="originals",
        locks=False,
        keys={signer().key_id: signer().public},
        signed=signing.verify,
        on_read=read.append,
        finished=finished,
    )


def interrupted(folder: Path, file: Path) -> list[str]:
    """Look at *folder* until the last recording's turn has come; whom the answers were about."""
    finished = ResumeFile(file, RUN)
    items = reader(folder, [], finished).items()
    seen = [item.about for item in takewhile(lambda item: not item.about.startswith(THIRD), items)]
    finished.close(finished=False)
    return seen


def test_an_interrupted_run_goes_on_and_answers_the_same(disc: Path, tmp_path: Path) -> None:
    all_read, rest_read = list[int](), list[int]()
    whole = list(reader(disc, all_read).items())
    seen = interrupted(disc, tmp_path / "run")

    finished = ResumeFile(tmp_path / "run", RUN)
    items = list(reader(disc, rest_read, finished).items())

    assert SECOND in seen
    assert len(finished) == 2
    assert items == whole
    assert sum(rest_read) < sum(all_read)


def test_a_recording_with_a_fault_is_looked_at_again(disc: Path, tmp_path: Path) -> None:
    folder = tmp_path / "disc"
    link_copy(disc, folder)
    path = folder / "records" / "recordings" / SOURCE / FIRST / "r1" / "playlist.m3u8"
    put(path, b"other")
    interrupted(folder, tmp_path / "run")
    put(path, (disc / path.relative_to(folder)).read_bytes())

    items = list(reader(folder, [], ResumeFile(tmp_path / "run", RUN)).items())

    assert [item for item in items if item.result == "fail"] == []


def test_answers_with_a_fail_are_not_noted(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "run", RUN)

    file.keep("s", "a", [1], [ITEM, FAULT])
    file.keep("s", "b", [1], [ITEM])
    file.close(finished=False)

    again = ResumeFile(tmp_path / "run", RUN)
    assert (again.answers("s", "a", [1]), again.answers("s", "b", [1])) == (None, (ITEM,))


def test_a_recording_with_another_revision_is_looked_at_again(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "run", RUN)
    file.keep("s", "a", [1], [ITEM])
    file.close(finished=False)

    again = ResumeFile(tmp_path / "run", RUN)

    assert again.answers("s", "a", [1, 2]) is None


@pytest.mark.parametrize("cut", [1, 30])
def test_a_line_half_written_when_the_process_died_counts_as_not_there(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run"
    file = ResumeFile(path, RUN)
    for name in ("a", "b"):
        file.keep("s", name, [1], [ITEM])
    file.close(finished=False)
    path.write_bytes(path.read_bytes()[:-cut])

    again = ResumeFile(path, RUN)
    again.keep("s", "c", [1], [ITEM])
    again.close(finished=False)

    last = ResumeFile(path, RUN)
    assert [last.answers("s", name, [1]) for name in ("a", "b", "c")] == [(ITEM,), None, (ITEM,)]


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    ResumeFile(tmp_path / "run", RUN).close(finished=False)

    with pytest.raises(Misconfigured, match="of another run"):
        ResumeFile(tmp_path / "run", {"where": "s3"})


@pytest.mark.parametrize("text", ["notes\n", "notes", "[]\n", '{"run":{"where":"disc"}}\n{"source":"s"}\n'])
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run"
    path.write_text(text)

    with pytest.raises(Misconfigured):
        ResumeFile(path, RUN)

    assert path.read_text() == text
