"""Continuity: announcements, ends, reopenings, explanations, and the same account for every order of arrival."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.annotation import Annotation
from pipeline.domain.continuity import Judged, RecordingEnded, SourceState, idle_ends, standing_gaps, step
from pipeline.domain.errors import HistoryMissing, StatementDiffers
from pipeline.domain.findings import Finding
from pipeline.domain.identity import RecordingId
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.wire import codec
from tests.builders import (
    PTS0,
    RECORDING,
    SEGMENT_MS,
    T0,
    audio,
    claimed,
    explanation,
    facts,
    hole,
    metadata,
    mp4,
    mtxi,
    photo,
    policy,
    probed,
    session_ended,
    unreadable,
    video,
    window,
)

POLICY = policy()
HOUR = 360
"""Segments of 10 s in a block."""


def fold(
    events: Sequence[SegmentProbed | Annotation], state: SourceState | None = None
) -> tuple[SourceState, list[Judged]]:
    state = state or SourceState()
    judged: list[Judged] = []
    for event in events:
        state, items = step(state, event, POLICY)
        judged += items
    return state, judged


def ends(judged: Sequence[Judged]) -> list[RecordingEnded]:
    return [item.ended for item in judged if item.ended is not None]


def account(*events: SegmentProbed | Annotation) -> RecordingEnded:
    """The last account after *events*, numbered as announcements in this order, and their sender's end."""
    return ends(fold([*announced(*events), session_ended("the-end")])[1])[-1]


def announced(*events: SegmentProbed | Annotation) -> list[SegmentProbed | Annotation]:
    numbered: list[SegmentProbed | Annotation] = []
    number = 0
    for event in events:
        if isinstance(event, SegmentProbed):
            number += 1
            event = replace(event, landed=replace(event.landed, announcement=number))
        numbered.append(event)
    return numbered


def block(hour: int) -> RecordingId:
    return RecordingId(f"hall-1-20261124T{8 + hour:02d}0000Z")


def live(number: int) -> SegmentProbed:
    """A continuous camera's segment in the recording of its own block."""
    at = WallMs(T0 + number * SEGMENT_MS + SEGMENT_MS)
    return probed(number, recording_id=block(number // HOUR), ends="next_block", received_at=at)


def kinds(ended: RecordingEnded) -> list[str]:
    return [finding.kind for finding in ended.findings]


# The order of arrival.


@st.composite
def recordings(draw: st.DrawFn) -> list[SegmentProbed]:
    """Files of one session: a shared clock, own clocks or identities; some missing, cut inside, doubled or restarted."""
    count = draw(st.integers(1, 12))
    style = draw(st.sampled_from(["ts", "mp4", "mtxi", "wrap", "mixed"]))
    base = PTS0 if style != "wrap" else (1 << 33) - 4 * SEGMENT_MS * 90
    made = []
    for number in range(count):
        jitter = draw(st.integers(-900, 900))
        start = claimed(T0 + number * SEGMENT_MS + jitter)
        cuts = [hole(2000, 2000 + draw(st.integers(300, 5000)))] if draw(st.integers(0, 5)) == 0 else []
        kind = draw(st.sampled_from(["ts", "mp4", "mtxi"])) if style == "mixed" else style
        first = (base + number * SEGMENT_MS * 90) % (1 << 33)
        if draw(st.integers(0, 7)) == 0:
            first = draw(st.integers(0, (1 << 33) - 1))
        if kind == "mp4":
            segment = mp4(number, SEGMENT_MS, *cuts, claimed_start=start)
        elif kind == "mtxi":
            segment = mtxi(number, draw(st.sampled_from("aab")), claimed_start=start)
        else:
            media = facts(video(first), audio(first - 900), findings=tuple(cuts))
            segment = probed(number, media, claimed_start=start, sequence=number)
        made.append(segment)
    kept = [segment for segment in made if draw(st.integers(0, 4)) or len(made) == 1]
    return kept + kept[:1] * draw(st.integers(0, 1))


@settings(max_examples=300, deadline=None)
@given(recordings(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_account(segments: list[SegmentProbed], chance: object) -> None:
    in_order = announced(*segments)
    shuffled = list(in_order)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    end = session_ended(expected=len(segments))

    first = ends(fold([*in_order, end])[1])
    other = ends(fold([*shuffled, end])[1])

    assert first == other
    assert len(first) == (1 if segments else 0)


@settings(max_examples=100, deadline=None)
@given(recordings(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_repeats_change_nothing(segments: list[SegmentProbed], times: int, chance: object) -> None:
    events = [*announced(*segments), explanation(0, 20_000), session_ended(expected=len(segments))]
    state, judged = fold(events)
    repeats = events * times
    chance.shuffle(repeats)  # type: ignore[attr-defined]

    again, more = fold(repeats, state)

    assert (again, more) == (state, [])
    assert [item.position for item in judged] == list(range(1, len(judged) + 1))


@settings(max_examples=50, deadline=None)
@given(recordings())
def test_a_state_written_and_read_again_is_the_same(segments: list[SegmentProbed]) -> None:
    state, _ = fold([*announced(*segments), explanation(0, 20_000), window(0, 5), metadata()])

    assert codec.load_state(SourceState, codec.dump_state(state)) == state


@settings(max_examples=100, deadline=None)
@given(recordings())
def test_time_is_covered_once_or_missing_and_never_both(segments: list[SegmentProbed]) -> None:
    told = account(*segments) if segments else None

    pieces = (
        sorted([(run.start, run.end) for run in told.runs] + [(gap.start, gap.end) for gap in told.gaps])
        if told
        else []
    )

    assert all(before[1] <= after[0] for before, after in itertools.pairwise(pieces))


def test_a_camera_of_a_day_is_remembered_in_20_kb() -> None:
    both = [
        facts(video(PTS0 + number * SEGMENT_MS * 90), audio(PTS0 + number * SEGMENT_MS * 90))
        for number in range(24 * HOUR)
    ]
    events = [
        probed(number, media, recording_id=RecordingId(f"hall-1-{number // HOUR}"), ends="next_block")
        for number, media in enumerate(both)
    ]

    state, judged = fold(events)

    assert len(json.dumps(codec.dump_state(state), separators=(",", ":"))) < 20_000
    assert [ended.verdict for ended in ends(judged)] == ["continuous"] * 23


# Announcements.


@pytest.mark.parametrize(("number", "found"), [(2, []), (3, ["announcement 2"]), (5, ["announcement 2 to 4"])])
def test_announcements_that_do_not_come_are_found_when_the_next_one_comes(number: int, found: list[str]) -> None:
    _, judged = fold([probed(0), probed(1, announcement=number)])

    assert judged[1].segment is not None
    assert [finding.expected for finding in judged[1].segment.findings] == found


def test_an_announcement_that_comes_after_all_is_judged_and_forgiven() -> None:
    state, _ = fold([probed(0), probed(2)])

    _, judged = fold([probed(1), session_ended()], state)

    assert [item.kind for item in judged] == ["segment", "ended"]
    assert ends(judged)[0].findings == ()


def test_a_missing_announcement_degrades_its_recording() -> None:
    told = ends(fold([probed(0), probed(1, announcement=3), session_ended()])[1])[0]

    assert (told.verdict, kinds(told)) == ("degraded", ["missing_sequence"])


def test_connectors_count_their_announcements_apart() -> None:
    _, judged = fold([probed(0), probed(1, connector="camera", announcement=1)])

    assert [item.segment.findings for item in judged if item.segment] == [(), ()]


# Ends.


@pytest.mark.parametrize(("expected", "closed"), [(2, True), (3, True), (4, False)])
def test_a_declared_end_waits_for_the_announced_segments(expected: int, closed: bool) -> None:
    _, judged = fold([probed(0), probed(1), session_ended(expected=expected), probed(2)])

    assert bool(ends(judged)) == closed


def test_an_end_that_waits_is_given_when_the_last_segment_comes() -> None:
    state, before = fold([session_ended(expected=2), probed(0)])

    _, after = fold([probed(1)], state)

    assert [item.kind for item in before] == ["segment"]
    assert [item.kind for item in after] == ["segment", "ended"]


def test_a_recording_that_stays_incomplete_ends_by_idle_time_and_says_so() -> None:
    state, _ = fold([probed(0), session_ended(expected=3)])
    late = WallMs(T0 + SEGMENT_MS + 500 + POLICY.idle_end_s * 1000)
    (idle,) = idle_ends(state, late, POLICY)

    told = ends(step(state, idle, POLICY)[1])[0]

    assert (told.verdict, told.expected_segments, told.segments, told.reason) == ("degraded", 3, 1, "idle")
    assert told.findings[-1].expected == "announced 3 segments"


def test_gaps_stand_by_class_and_an_explanation_moves_them() -> None:
    open_, _ = fold([probed(0), probed(2)])
    unexplained, _ = fold([session_ended(expected=2)], open_)
    explained, _ = fold([explanation(SEGMENT_MS, 2 * SEGMENT_MS)], unexplained)

    found = [+standing_gaps([state]) for state in (open_, unexplained, explained)]

    assert found == [{}, {("service-hall", "unexplained"): 1}, {("service-hall", "R4"): 1}]
    assert standing_gaps([explained])["service-hall", "unexplained"] == 0
    assert ("service-hall", "unexplained") in standing_gaps([explained])


@pytest.mark.parametrize(("before_ms", "count"), [(1, 0), (0, 1), (-1, 1)])
def test_idle_time_is_counted_from_the_last_receipt(before_ms: int, count: int) -> None:
    state, _ = fold([probed(0)])
    now = WallMs(T0 + SEGMENT_MS + 500 + POLICY.idle_end_s * 1000 - before_ms)

    said = idle_ends(state, now, POLICY)

    assert [item.annotation_id for item in said] == [f"idle-{RECORDING}-1"] * count


def test_an_idle_end_that_a_segment_overtook_ends_nothing() -> None:
    state, _ = fold([probed(0)])
    now = WallMs(T0 + SEGMENT_MS + 500 + POLICY.idle_end_s * 1000)
    (idle,) = idle_ends(state, now, POLICY)
    state, _ = fold([probed(1, received_at=WallMs(now - 5))], state)

    after, judged = step(state, idle, POLICY)

    assert (after, judged) == (state, ())


@pytest.mark.parametrize(("after_s", "closed"), [(299, False), (300, True), (310, True)])
def test_a_block_ends_when_the_next_one_is_under_way_for_the_grace(after_s: int, closed: bool) -> None:
    start = claimed(T0 + 3600_000 + after_s * 1000)

    _, judged = fold(
        [live(0), probed(HOUR, announcement=2, recording_id=block(1), ends="next_block", claimed_start=start)]
    )

    assert [ended.recording_id for ended in ends(judged)] == ([block(0)] if closed else [])


def test_a_segment_after_the_end_reopens_and_fills_its_gap() -> None:
    one, two, three = probed(0), probed(2, announcement=2), probed(1, announcement=3)

    _, judged = fold([one, two, session_ended(expected=2), three, session_ended("end-2", expected=3)])

    assert [(ended.revision, ended.verdict, ended.segments) for ended in ends(judged)] == [
        (1, "interrupted", 2),
        (2, "continuous", 3),
    ]


def test_an_end_that_overtakes_its_late_segment_is_given_when_it_comes() -> None:
    one, two, late = probed(0), probed(2, announcement=2), probed(1, announcement=3)

    _, judged = fold([one, two, session_ended(expected=2), session_ended("end-2", expected=3), metadata(), late])

    assert [(ended.revision, ended.segments) for ended in ends(judged)] == [(1, 2), (2, 2), (3, 3)]
    assert judged[-1].kind == "ended"


def test_a_segment_missed_at_the_idle_end_ends_its_recording_anew_when_it_comes() -> None:
    state, _ = fold([probed(0), session_ended(expected=2)])
    (idle,) = idle_ends(state, WallMs(T0 + SEGMENT_MS + 500 + POLICY.idle_end_s * 1000), POLICY)

    _, judged = fold([idle, probed(1)], state)

    assert [(ended.revision, ended.verdict, ended.segments) for ended in ends(judged)] == [
        (1, "degraded", 1),
        (2, "continuous", 2),
    ]


def test_case_data_after_the_end_make_a_new_revision_at_once() -> None:
    _, judged = fold([probed(0), session_ended(), metadata()])

    assert [item.kind for item in judged] == ["segment", "ended", "annotation", "ended"]
    assert [ended.revision for ended in ends(judged)] == [1, 2]


def test_annotations_before_the_first_segment_follow_it() -> None:
    _, judged = fold([metadata(), explanation(0, 5), probed(0)])

    assert [item.kind for item in judged] == ["segment", "annotation", "annotation"]


def test_timers_and_schedules_do_not_go_on_by_themselves() -> None:
    due = Annotation(
        annotation_id="due-1",
        kind="deadline_due",
        source_id=probed().landed.source_id,
        recording_id=RECORDING,
        made_at=T0,
        made_by="timer",
    )

    _, judged = fold([probed(0), due, window(0, 5)])

    assert [item.kind for item in judged] == ["segment"]


def test_a_recording_ended_long_ago_is_not_begun_anew() -> None:
    few = policy(remembered_closed_recordings=1)
    state = SourceState()
    for number in range(2):
        name = RecordingId(f"session-{number}")
        for event in (probed(number, recording_id=name), session_ended(f"end-{number}", recording_id=name)):
            state, _ = step(state, event, few)

    with pytest.raises(HistoryMissing, match="session-0"):
        step(state, probed(5, recording_id=RecordingId("session-0")), few)


# Gaps and who explains them.


def test_two_missing_files_are_a_gap_of_twenty_seconds_to_the_tick() -> None:
    told = account(*[probed(number) for number in range(12) if number not in (5, 6)])

    (gap,) = told.gaps
    assert (gap.start - T0, gap.end - T0, gap.size_ms, gap.evidence) == (50_000, 70_000, 20_000, "media_clock")
    assert (told.verdict, gap.state, told.covered_ms) == ("interrupted", "unexplained", 100_000)


@pytest.mark.parametrize(("start", "end", "state"), [(9_000, 21_000, "explained"), (14_000, 21_000, "unexplained")])
def test_an_explanation_explains_the_gap_it_covers(start: int, end: int, state: str) -> None:
    told = account(probed(0), probed(2), explanation(start, end))

    assert [(gap.state, told.verdict) for gap in told.gaps] == [(state, "interrupted")]


@pytest.mark.parametrize(
    ("voice", "state"), [((21_000, 25_000), "explained"), ((5_000, 8_000), "unexplained"), (None, "unexplained")]
)
def test_an_officers_explanation_is_spoken_after_the_restart(voice: tuple[int, int] | None, state: str) -> None:
    told = account(
        mp4(0, source_kind="body_camera"), mp4(2, source_kind="body_camera"), explanation(10_000, 20_000, voice=voice)
    )

    assert [gap.state for gap in told.gaps] == [state]


def test_a_schedule_explains_a_gap_inside_it_and_names_its_reason() -> None:
    told = account(window(5_000, 25_000), probed(0), probed(2))

    assert [(gap.state, gap.reason, gap.explained_by) for gap in told.gaps] == [
        ("explained", "lens cleaning", "plan-1")
    ]


def test_a_schedule_said_after_the_end_gives_a_new_revision() -> None:
    state, _ = fold([*announced(probed(0), probed(2)), session_ended()])

    _, judged = fold([window(5_000, 25_000)], state)

    assert [(ended.revision, ended.gaps[0].state) for ended in ends(judged)] == [(2, "explained")]


def test_a_schedule_that_explains_nothing_gives_no_revision() -> None:
    state, _ = fold([*announced(probed(0), probed(2)), session_ended()])

    _, judged = fold([window(500_000, 600_000)], state)

    assert judged == []


def test_absence_of_explanations_explains_nothing() -> None:
    told = account(probed(0), probed(2))

    assert [gap.state for gap in told.gaps] == ["unexplained"]


# Blocks of one camera.


def two_blocks(last: int, first: int) -> list[SegmentProbed | Annotation]:
    return announced(live(last - 1), live(last), live(first), live(first + 1))


def block_ends() -> list[Annotation]:
    return [session_ended(f"end-{hour}", recording_id=block(hour)) for hour in (0, 1)]


def test_what_is_missing_between_two_blocks_belongs_to_the_later_one() -> None:
    told = ends(fold([*two_blocks(HOUR - 3, HOUR + 2), *block_ends()])[1])

    assert [ended.verdict for ended in told] == ["continuous", "interrupted"]
    (gap,) = told[1].gaps
    assert (gap.start - T0, gap.size_ms, gap.evidence) == (3_580_000, 40_000, "media_clock")


def test_blocks_that_join_are_whole() -> None:
    told = ends(fold([*two_blocks(HOUR - 1, HOUR), *block_ends()])[1])

    assert [(ended.verdict, ended.gaps) for ended in told] == [("continuous", ()), ("continuous", ())]


def test_a_gap_between_blocks_is_told_whichever_ends_first() -> None:
    events = two_blocks(HOUR - 3, HOUR + 2)

    first = {ended.recording_id: ended for ended in ends(fold([*events, *block_ends()])[1])}
    other = {ended.recording_id: ended for ended in ends(fold([*events, *reversed(block_ends())])[1])}

    assert [other[block(hour)].gaps for hour in (0, 1)] == [first[block(hour)].gaps for hour in (0, 1)]
    assert other[block(1)].revision == 2


def test_a_block_without_any_recording_is_not_for_this_stage_to_miss() -> None:
    events = announced(live(0), live(3 * HOUR))
    over = [session_ended(f"end-{hour}", recording_id=block(hour)) for hour in (0, 3)]

    told = ends(fold([*events, *over])[1])

    assert [ended.verdict for ended in told] == ["continuous", "continuous"]


# Verdicts.


def test_a_byte_identical_file_is_only_noted() -> None:
    told = account(probed(0), probed(1), probed(0))

    assert (told.verdict, kinds(told), told.segments, told.covered_ms) == ("continuous", ["duplicate"], 3, 20_000)


def test_photos_alone_are_not_testable() -> None:
    told = account(photo(0), photo(1))

    assert (told.verdict, kinds(told), told.runs, told.segments) == ("not_testable", ["not_testable"], (), 2)


def test_photos_beside_video_change_no_verdict() -> None:
    assert account(probed(0), photo(7), probed(1)).verdict == "continuous"


def test_only_unreadable_files_are_unreadable() -> None:
    told = account(unreadable(0), unreadable(1))

    assert (told.verdict, kinds(told)) == ("unreadable", ["unreadable", "unreadable"])


def test_an_unreadable_file_among_good_ones_interrupts() -> None:
    assert account(probed(0), unreadable(1), probed(2)).verdict == "interrupted"


def test_a_hole_inside_a_file_is_a_gap_where_it_lies() -> None:
    told = account(mp4(0), mp4(1, SEGMENT_MS, hole(2_000, 9_000)), mp4(2))

    (gap,) = told.gaps
    assert (gap.start - T0, gap.size_ms, gap.evidence) == (12_000, 7_000, "media_clock")
    assert [(run.start - T0, run.end - T0) for run in told.runs] == [(0, 12_000), (19_000, 30_000)]
    assert "gap" not in kinds(told)


def test_files_that_nothing_places_are_not_called_continuous() -> None:
    told = account(mp4(0, claimed_start=None), mp4(1, claimed_start=None))

    assert (told.verdict, kinds(told), told.covered_ms) == ("not_testable", ["not_testable"], 20_000)


def test_a_hardly_begun_last_file_spoils_no_verdict() -> None:
    brief = Finding(kind="not_testable", level="note", evidence="none", expected="frames", found="2 frames")
    short = mp4(1, 80, brief)

    assert (account(mp4(0), short).verdict, account(short).verdict) == ("continuous", "not_testable")


def test_one_file_without_a_clock_is_whole_in_itself() -> None:
    assert account(mp4(0, claimed_start=None)).verdict == "continuous"


def test_a_recorder_whose_clock_says_1970_makes_no_gap_of_56_years() -> None:
    told = account(mp4(0), mp4(1, claimed_start=claimed(5_000)))

    assert (told.gaps, told.verdict, "clock_step" in kinds(told)) == ((), "not_testable", True)


def test_more_findings_than_are_listed_are_counted() -> None:
    many = [replace(probed(0), facts=replace(probed(0).facts, findings=())) for _ in range(300)]

    told = account(*many)

    assert len(told.findings) == 257
    assert [finding.count for finding in told.findings if finding.count] == [299 - 256]


def test_a_state_taken_from_older_ends_names_the_policy_it_was_judged_by() -> None:
    assert account(probed(0)).policy_version == "test"


def test_a_sender_that_ends_twice_with_one_id_ends_once() -> None:
    _, judged = fold([probed(0), session_ended(), session_ended()])

    assert len(ends(judged)) == 1


def test_the_sum_of_bytes_counts_every_announced_segment() -> None:
    assert account(probed(0), probed(0), photo(3)).bytes == 3000


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (explanation(10_000, 20_000, "said-1"), explanation(10_000, 30_000, "said-1")),
        (explanation(10_000, 20_000, "said-1"), metadata("said-1")),
        (session_ended("said-1", expected=3), session_ended("said-1", expected=2)),
        (window(0, 1000, "said-1"), window(0, 2000, "said-1")),
    ],
)
def test_another_statement_under_a_used_id_is_not_taken_and_the_first_stays(
    first: Annotation, other: Annotation
) -> None:
    state, _ = step(SourceState(), probed(0), policy())
    state, _ = step(state, first, policy())

    with pytest.raises(StatementDiffers):
        step(state, other, policy())

    assert step(state, replace(first, made_at=WallMs(T0 + 1)), policy()) == (state, ())
