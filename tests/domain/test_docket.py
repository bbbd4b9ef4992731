"""Docket: what is remembered of decided deadlines is bounded, and the rest is judged by dates."""

from __future__ import annotations

from pipeline.domain.deadline import step
from pipeline.domain.docket import MAX_FINISHED_MARKS, SourceDeadlines
from pipeline.domain.recording import DIGEST_CHARS
from pipeline.domain.time import WallMs
from tests.builders import SOURCE, T0, landed, policy
from tests.builders_archive import archived

HOUR = 3600_000
POLICY = policy()


def decided(recordings: int, files: int) -> SourceDeadlines:
    state = SourceDeadlines(source_id=SOURCE)
    for number in range(recordings):
        receipt = archived(files, recording_id=f"hour-{number}", archived_at=WallMs(T0 + HOUR))
        state, _ = step(state, receipt, POLICY)
    return state


def test_originals_of_the_latest_decided_recordings_are_recognised() -> None:
    state = decided(4, MAX_FINISHED_MARKS // 2)

    held = [len(done.covered) // DIGEST_CHARS for done in state.finished.values()]

    assert held == [0, 0, MAX_FINISHED_MARKS // 2, MAX_FINISHED_MARKS // 2]


def test_a_file_of_a_recording_whose_originals_are_forgotten_is_judged_by_the_date_of_its_receipt() -> None:
    state = decided(3, MAX_FINISHED_MARKS)
    name = "hour-0"

    state, known = step(state, landed(recording_id=name, received_at=WallMs(T0 + HOUR)), POLICY)
    _, opened = step(state, landed(1, recording_id=name, received_at=WallMs(T0 + HOUR + 1)), POLICY)

    assert known == ()
    assert [change.state for change in opened] == ["tracked"]
