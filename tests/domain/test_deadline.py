"""Deadlines: when 24 hours begin, what meets them, who owns a miss, and that no order of news changes the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.domain import deadline
from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.deadline import Heard
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.landing import Ends, SegmentLanded
from pipeline.domain.outlook import due, summary
from pipeline.domain.policy import Policy
from pipeline.domain.time import MAX_WALL_MS, WallMs
from pipeline.domain.tracked import deadline_at
from tests.builders import RECORDING, SOURCE, T0, claimed, landed, metadata, policy, session_ended
from tests.builders_archive import archived, stitched

HOUR = 3600 * 1000
DAY = 24 * HOUR
POLICY = policy()
DOCKED = WallMs(T0 + 9 * HOUR)
"""A body camera records from T0 for 8 hours and is docked one hour later."""


def docked(number: int = 0, **changes: object) -> SegmentLanded:
    """One of eight files of an hour each."""
    fields = {
        "source_kind": "body_camera",
        "received_at": WallMs(DOCKED + number * 1000),
        "claimed_start": claimed(T0 + number * HOUR),
        "claimed_end": claimed(T0 + (number + 1) * HOUR),
    }
    return landed(number, **{**fields, **changes})


SESSION = [docked(number) for number in range(8)]
END = T0 + 8 * HOUR
SENT = session_ended(made_at=WallMs(DOCKED + 10_000))
CASE = metadata(made_at=WallMs(DOCKED + HOUR))
RECEIPT = archived(8, source_kind="body_camera", archived_at=WallMs(DOCKED + 60_000), first_received_at=DOCKED)


def step(state: SourceDeadlines, event: Heard, policy: Policy) -> tuple[SourceDeadlines, tuple[DeadlineChanged, ...]]:
    """The stage, as far as it speaks of deadlines."""
    state, changes = deadline.step(state, event, policy)
    return state, tuple(change for change in changes if isinstance(change, DeadlineChanged))


def run(events: Sequence[Heard], policy: Policy = POLICY) -> tuple[SourceDeadlines, list[DeadlineChanged]]:
    state = SourceDeadlines(source_id=SOURCE)
    changes: list[DeadlineChanged] = []
    for event in events:
        state, found = step(state, event, policy)
        changes += found
    return state, changes


def states(changes: Sequence[DeadlineChanged]) -> list[str]:
    return [change.state for change in changes]


def due_at(state: SourceDeadlines, now: int) -> tuple[Annotation, ...]:
    return due({SOURCE: state}, WallMs(now), POLICY)


def test_a_recording_is_tracked_at_first_sight() -> None:
    _, changes = run(SESSION)

    assert states(changes) == ["tracked"]
    assert changes[0].at == DOCKED + DAY
    assert changes[0].changed_at == DOCKED
    assert changes[0].missing_fields == ("case_name", "party_name", "recorded_date")


def test_the_deadline_runs_from_the_end_of_the_recording_once_it_is_complete() -> None:
    state, _ = run([*SESSION, SENT])

    assert deadline_at(state.open[RECORDING], POLICY) == END + DAY


def test_half_an_import_never_looks_like_a_missed_deadline() -> None:
    week = 7 * DAY
    state, _ = run([docked(number, received_at=WallMs(DOCKED + week + number)) for number in range(3)])

    announced, _ = step(state, session_ended(expected=8, made_at=WallMs(DOCKED + week + HOUR)), POLICY)

    assert due_at(state, DOCKED + week + HOUR) == ()
    assert due_at(announced, DOCKED + week + HOUR) == ()


def test_archived_and_described_in_time_is_met() -> None:
    state, changes = run([*SESSION, SENT, RECEIPT, CASE])

    assert states(changes) == ["tracked", "met"]
    assert changes[-1] == replace(
        changes[0], state="met", at=WallMs(END + DAY), changed_at=CASE.made_at, progress="archived", missing_fields=()
    )
    assert state.open == {}


@pytest.mark.parametrize(("offset", "expected"), [(-1, "met"), (0, "met"), (1, "late")])
def test_the_deadline_itself_is_still_in_time(offset: int, expected: str) -> None:
    receipt = replace(RECEIPT, archived_at=WallMs(END + DAY + offset))

    _, changes = run([*SESSION, SENT, CASE, receipt])

    assert states(changes)[-1] == expected


def test_a_completion_after_the_deadline_is_a_miss_even_if_no_timer_ran() -> None:
    receipt = replace(RECEIPT, archived_at=WallMs(END + DAY + HOUR))

    _, changes = run([*SESSION, SENT, CASE, receipt])

    assert [(change.state, change.changed_at, change.cause) for change in changes[1:]] == [
        ("missed", END + DAY, "pipeline"),
        ("late", END + DAY + HOUR, None),
    ]


def test_the_timer_warns_then_calls_the_miss_once() -> None:
    state, _ = run([*SESSION, SENT])
    found = []
    for now in range(END, END + DAY + 2 * HOUR, HOUR // 4):
        for said in due_at(state, now):
            state, changes = step(state, said, POLICY)
            found += [(said.annotation_id, change.state, change.changed_at) for change in changes]

    assert found == [
        (f"due-{RECORDING}-at_risk", "at_risk", END + 20 * HOUR),
        (f"due-{RECORDING}-missed", "missed", END + DAY + HOUR // 4),
    ]
    assert due_at(state, END + 9 * DAY) == ()


@pytest.mark.parametrize(("offset", "expected"), [(-1, []), (0, []), (1, ["missed"])])
def test_the_timer_waits_a_minute_for_news_under_way(offset: int, expected: list[str]) -> None:
    state, _ = run([*SESSION, SENT])
    state, _ = step(state, due_at(state, END + 23 * HOUR)[0], POLICY)

    said = due_at(state, END + DAY + 60_000 + offset)

    assert [item.annotation_id.rpartition("-")[2] for item in said] == expected


def test_what_completes_after_a_called_miss_is_late_and_never_met() -> None:
    state, _ = run([*SESSION, SENT])
    (said,) = due_at(state, END + DAY + HOUR)

    state, missed = step(state, said, POLICY)
    state, nothing = step(state, CASE, POLICY)
    state, late = step(state, RECEIPT, POLICY)

    assert (states(missed), nothing, states(late)) == (["missed"], (), ["late"])
    assert late[0].changed_at == CASE.made_at


def test_a_standing_description_serves_a_hall_camera() -> None:
    _, changes = run([landed(ends="next_block"), archived(archived_at=WallMs(T0 + 2 * HOUR))])

    assert states(changes) == ["tracked", "met"]


def test_a_block_of_a_hall_camera_ends_with_the_block() -> None:
    state, _ = run([landed(number, ends="next_block") for number in range(3)])

    assert deadline_at(state.open[RECORDING], POLICY) == T0 + HOUR + DAY


def test_a_streamed_recording_has_its_deadline_move_along_until_it_ends() -> None:
    stream = [landed(number, ends="idle", source_kind="camcorder") for number in range(3)]
    state, _ = run(stream)
    open_at = deadline_at(state.open[RECORDING], POLICY)

    state, _ = step(state, session_ended(made_at=WallMs(T0 + 7 * HOUR)), POLICY)
    late = landed(3, ends="idle", source_kind="camcorder", received_at=WallMs(T0 + 8 * HOUR))
    state, _ = step(state, late, POLICY)

    assert open_at == stream[-1].received_at + DAY
    assert deadline_at(state.open[RECORDING], POLICY) == T0 + 20_000 + DAY


@pytest.mark.parametrize(
    ("claim", "start"),
    [(T0 + 400 * DAY, DOCKED), (END, END), (DOCKED - 31 * DAY, DOCKED - 31 * DAY)],
    ids=["in the future", "right", "fallen back"],
)
def test_a_wrong_clock_never_hides_a_miss(claim: int, start: int) -> None:
    wrong = docked(claimed_start=None, claimed_end=claimed(claim))
    state, _ = run([wrong, SENT, CASE])

    (said,) = due_at(state, start + 500 * DAY)
    _, changes = step(state, said, POLICY)

    assert (changes[0].state, changes[0].at) == ("missed", start + DAY)
    assert changes[0].cause == ("pipeline" if start == END else "clock")


@pytest.mark.parametrize("offset_ms", [-(1 << 52), 0, 1 << 52])
@pytest.mark.parametrize("claim", [0, MAX_WALL_MS - 1, MAX_WALL_MS])
@pytest.mark.parametrize("ends", ["declared", "next_block", "idle"])
def test_no_claim_is_too_absurd_to_be_tracked(claim: int, offset_ms: int, ends: Ends) -> None:
    absurd = docked(claimed_start=claimed(claim), claimed_end=claimed(claim), clock_offset_ms=offset_ms, ends=ends)

    state, changes = run([absurd, SENT])
    _, missed = step(state, due_at(state, DOCKED + 9 * DAY)[0], POLICY)

    assert states([*changes, *missed]) == ["tracked", "missed"]
    assert missed[0].at <= DOCKED + HOUR + DAY


def test_the_measured_clock_offset_corrects_the_claim() -> None:
    state, _ = run([docked(clock_offset_ms=2 * HOUR), SENT])

    assert deadline_at(state.open[RECORDING], POLICY) == T0 - HOUR + DAY


@pytest.mark.parametrize(
    ("events", "cause"),
    [
        ([docked(received_at=WallMs(T0 + 40 * HOUR)), session_ended(made_at=WallMs(T0 + 41 * HOUR))], "not_docked"),
        ([docked()], "transfer"),
        ([docked(), session_ended(expected=2, made_at=SENT.made_at)], "transfer"),
        ([docked(), SENT], "pipeline"),
        ([docked(), SENT, RECEIPT], "metadata"),
    ],
)
def test_a_miss_names_what_did_not_happen_in_time(
    events: Sequence[SegmentLanded | Annotation | RecordingArchived], cause: str
) -> None:
    state, _ = run(events)
    (said,) = due_at(state, T0 + 9 * DAY)

    _, changes = step(state, said, POLICY)

    assert changes[0].cause == cause
    assert changes[0].missing_fields == POLICY.mandatory_fields


def test_a_recording_that_was_announced_and_never_arrived_is_missed() -> None:
    other = docked(recording_id="shift-2", announcement=9)
    state, _ = run([other, SENT])

    (said,) = [item for item in due_at(state, SENT.made_at + 2 * DAY) if item.recording_id == RECORDING]
    _, changes = step(state, said, POLICY)

    assert (changes[0].at, changes[0].cause) == (SENT.made_at + DAY, "not_docked")


def test_a_case_described_before_its_recording_arrives_counts() -> None:
    early = metadata(made_at=T0)

    _, changes = run([early, *SESSION, SENT, RECEIPT])

    assert states(changes) == ["tracked", "met"]


def test_a_blank_field_is_a_missing_field() -> None:
    blank = metadata(metadata=Metadata(case_name=" ", party_name="某公司", recorded_date="2026-11-24"))

    state, changes = run([*SESSION, SENT, RECEIPT, blank])

    assert states(changes) == ["tracked"]
    _, missed = step(state, due_at(state, END + 2 * DAY)[0], POLICY)
    assert missed[0].missing_fields == ("case_name",)


def test_a_repeat_changes_nothing() -> None:
    once: list[SegmentLanded | Annotation | RecordingArchived] = [*SESSION, SENT, RECEIPT, CASE]

    state, changes = run(once)
    again, more = run([*once, *once])

    assert (state, changes) == (again, more)


def test_a_later_revision_with_new_originals_after_the_deadline_is_noted_once() -> None:
    state, _ = run([*SESSION, SENT, RECEIPT, CASE])
    after = WallMs(END + 3 * DAY)
    explained = replace(RECEIPT, revision=2, archived_at=after)
    grown = archived(9, source_kind="body_camera", revision=3, archived_at=after)

    state, nothing = step(state, explained, POLICY)
    state, noted = step(state, grown, POLICY)
    _, again = step(state, replace(grown, revision=4), POLICY)

    assert (nothing, states(noted), again) == ((), ["late"], ())


def test_not_all_of_it_in_a_receipt_is_not_archived() -> None:
    part = archived(7, source_kind="body_camera", archived_at=RECEIPT.archived_at, first_received_at=DOCKED)
    state, changes = run([*SESSION, SENT, CASE, part])

    (said,) = due_at(state, END + DAY + HOUR)
    state, missed = step(state, said, POLICY)
    state, late = step(state, replace(RECEIPT, revision=2, archived_at=WallMs(END + 30 * HOUR)), POLICY)

    assert (states(changes), states(missed), states(late)) == (["tracked"], ["missed"], ["late"])
    assert missed[0].cause == "pipeline"


def test_a_file_that_lands_after_met_and_is_archived_in_time_is_met_again() -> None:
    state, changes = run([*SESSION, SENT, RECEIPT, CASE])
    straggler = docked(8, received_at=WallMs(DOCKED + 2 * HOUR))

    state, opened = step(state, straggler, POLICY)
    state, again = step(state, archived(9, revision=2, archived_at=WallMs(DOCKED + 3 * HOUR)), POLICY)

    assert states([*changes, *opened, *again]) == ["tracked", "met", "tracked", "met"]
    assert opened[0].at == again[0].at == changes[-1].at


def test_a_file_that_lands_after_met_and_is_never_archived_is_missed() -> None:
    state, _ = run([*SESSION, SENT, RECEIPT, CASE])
    state, _ = step(state, docked(8, received_at=WallMs(DOCKED + 2 * HOUR)), POLICY)

    (said,) = due_at(state, END + DAY + HOUR)
    _, missed = step(state, said, POLICY)

    assert [(change.state, change.cause) for change in missed] == [("missed", "pipeline")]


def test_an_end_said_again_does_not_turn_a_file_after_met_into_an_unfinished_import() -> None:
    state, _ = run([*SESSION, session_ended(expected=8, made_at=SENT.made_at), RECEIPT, CASE])
    state, _ = step(state, docked(8, received_at=WallMs(DOCKED + 2 * HOUR)), POLICY)
    state, _ = step(state, session_ended(expected=8, made_at=SENT.made_at), POLICY)

    _, missed = step(state, due_at(state, END + DAY + HOUR)[0], POLICY)

    assert [(change.state, change.cause) for change in missed] == [("missed", "pipeline")]


def test_a_file_that_lands_after_the_deadline_of_a_met_recording_is_late_at_once_and_stays_unarchived() -> None:
    state, _ = run([*SESSION, SENT, RECEIPT, CASE])
    after = WallMs(END + 3 * DAY)

    state, noted = step(state, docked(8, received_at=after), POLICY)
    waiting = summary({SOURCE: state}, after, POLICY)[0].unarchived
    state, nothing = step(state, archived(9, revision=2, archived_at=WallMs(after + HOUR)), POLICY)

    assert (states(noted), nothing) == (["late"], ())
    assert (waiting, summary({SOURCE: state}, after, POLICY)[0].unarchived) == ((0, 0, 0, 0, 1), (0, 0, 0, 0, 0))


def test_files_heard_of_after_their_receipt_open_nothing() -> None:
    hall = [landed(number, ends="next_block") for number in range(3)]

    _, changes = run([archived(3, archived_at=WallMs(T0 + HOUR)), *hall, replace(hall[2], announcement=9)])

    assert states(changes) == ["tracked", "met"]


def test_a_file_sent_twice_is_one_file() -> None:
    again = docked(0, announcement=9, received_at=WallMs(DOCKED + 2 * HOUR))

    _, changes = run([*SESSION, SENT, RECEIPT, CASE, again])

    assert states(changes) == ["tracked", "met"]


def test_how_far_a_recording_is_goes_with_every_change() -> None:
    state, tracked = run(SESSION)
    state, _ = step(state, stitched(), POLICY)
    (said,) = due_at(state, DOCKED + 21 * HOUR)
    state, risk = step(state, said, POLICY)
    state, _ = step(state, CASE, POLICY)
    state, missed = step(state, due_at(state, DOCKED + 2 * DAY)[0], POLICY)

    assert [change.progress for change in (*tracked, *risk, *missed)] == ["received", "verified", "described"]


def test_only_a_bounded_number_of_decided_recordings_is_remembered() -> None:
    few = policy(remembered_closed_recordings=3)
    events: list[SegmentLanded | RecordingArchived] = []
    for number in range(9):
        name = f"hall-1-{number}"
        events.append(landed(recording_id=name, announcement=number + 1, ends="next_block"))
        events.append(archived(recording_id=name, archived_at=WallMs(T0 + HOUR)))

    state, _ = run(events, few)

    assert list(state.finished) == ["hall-1-6", "hall-1-7", "hall-1-8"]


def test_misses_nobody_makes_up_for_are_forgotten_in_order_and_never_called_twice() -> None:
    few = policy(remembered_closed_recordings=3)
    state, _ = run([docked(number, recording_id=f"shift-{number}") for number in range(9)], few)

    called = []
    for said in due({SOURCE: state}, WallMs(T0 + 9 * DAY), few):
        state, changes = step(state, said, few)
        called += states(changes)

    assert called == ["missed"] * 9
    assert (len(state.open), len(state.finished)) == (3, 3)
    assert due({SOURCE: state}, WallMs(T0 + 99 * DAY), few) == ()


def test_another_statement_under_a_used_id_describes_nothing_and_does_not_meet_a_deadline() -> None:
    begun = metadata("said-1", metadata=Metadata(case_name="c", party_name="p"), made_at=WallMs(DOCKED + HOUR))
    other = metadata("said-1", metadata=Metadata(recorded_date="2026-11-24"), made_at=WallMs(DOCKED + HOUR))

    _, set_aside = run([*SESSION, SENT, RECEIPT, begun, other])
    _, said_rightly = run([*SESSION, SENT, RECEIPT, begun, replace(other, annotation_id="said-2")])

    assert (states(set_aside), states(said_rightly)) == (["tracked"], ["tracked", "met"])


def test_a_late_receipt_of_files_nobody_was_told_of_does_not_say_why_it_is_late() -> None:
    late = replace(RECEIPT, archived_at=WallMs(END + DAY + HOUR))

    _, told = run([CASE, late])
    _, came_late = run([CASE, replace(late, first_received_at=WallMs(END + DAY + 1))])

    assert [(change.state, change.cause) for change in told] == [
        ("tracked", None), ("missed", "unknown"), ("late", None),
    ]  # fmt: skip
    assert [change.cause for change in came_late if change.state == "missed"] == ["not_docked"]


def test_documents_of_files_whose_announcement_was_taken_for_an_old_one_do_not_say_why_there_is_no_receipt() -> None:
    other = docked(recording_id="shift-2", announcement=9)
    state, _ = run([other, docked(), SENT, stitched(source_kind="body_camera")])
    (said,) = [item for item in due_at(state, SENT.made_at + 2 * DAY) if item.recording_id == RECORDING]

    _, (missed,) = step(state, said, POLICY)

    assert (missed.state, missed.cause, missed.progress) == ("missed", "unknown", "verified")
