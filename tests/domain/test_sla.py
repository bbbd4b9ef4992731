"""The report equals the truth it was made from, and says what it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.account import Run
from pipeline.domain.annotation import Annotation, Issue, Metadata
from pipeline.domain.canary import CANARY_UNIT
from pipeline.domain.canonical import canonical
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.duty import Camera, with_schedule
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.seal import with_signature
from pipeline.domain.sla import (
    Facts,
    Item,
    Kept,
    SlaReport,
    document,
    in_period,
    is_sla_key,
    misplaced,
    report,
    report_key,
)
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import DeadlineState
from tests.builders import T0, always, annotation, explanation, metadata, policy
from tests.builders_archive import gap

POLICY = policy()
HOUR = 3600_000
DAY = 24 * HOUR
PERIOD = (WallMs(T0), WallMs(T0 + DAY))
LATER = WallMs(T0 + 3 * DAY)
BWC = SourceId("bwc-1")


def change(name: str, state: DeadlineState, ended: int = HOUR, when: int = 2 * HOUR, **more: Any) -> DeadlineChanged:
    """A recording that ended *ended* ms after T0 came to *state* at *when*."""
    made = DeadlineChanged(
        source_id=BWC,
        source_kind="body_camera",
        unit="Team 2",
        recording_id=RecordingId(name),
        at=WallMs(T0 + ended + DAY),
        state=state,
        changed_at=WallMs(T0 + when),
    )
    return replace(made, **more)


def kept(*gaps: Any, statements: tuple[Annotation, ...] = (), runs: tuple[tuple[int, int], ...] = ()) -> Kept:
    return Kept(
        verdict="interrupted" if gaps else "continuous",
        covered_ms=1000,
        runs=tuple(Run(start=WallMs(T0 + start), end=WallMs(T0 + end), segments=1) for start, end in runs),
        gaps=gaps,
        archived_at=WallMs(T0 + 3 * HOUR),
        statements=statements,
    )


def told(
    *changes: DeadlineChanged, unit: str | None = None, made_at: WallMs = LATER, rules: Any = POLICY, **more: Any
) -> SlaReport:
    facts = Facts(**{"changes": changes, "kept": {}, "said": (), "cameras": {}, **more})
    return report(facts, unit, PERIOD, made_at, rules, "unbroken test")


def only(made: SlaReport) -> Item:
    (item,) = made.recordings
    return item


def test_each_recording_is_counted_once_with_what_became_of_it() -> None:
    made = told(
        change("a", "tracked"),
        change("a", "met"),
        change("b", "missed", cause="metadata", missing_fields=("party_name",)),
        change("c", "missed", cause="store"),
        change("c", "late", when=30 * HOUR),
        change("d", "at_risk"),
    )

    assert [(item.recording_id, item.outcome) for item in made.recordings] == [
        ("a", "met"),
        ("b", "missed"),
        ("c", "missed"),
        ("d", "open"),
    ]
    total = made.totals
    assert (total.recordings, total.met, total.missed, total.late, total.open) == (4, 1, 2, 1, 1)
    assert total.causes == {"metadata": 1, "store": 1}
    assert [item.late_at for item in made.recordings] == [None, None, T0 + 30 * HOUR, None]


@pytest.mark.parametrize(("ended", "counts"), [(0, False), (1, True), (DAY - 1, True), (DAY, True), (DAY + 1, False)])
def test_a_recording_belongs_to_the_day_on_which_its_24_hours_began(ended: int, counts: bool) -> None:
    assert bool(told(change("a", "met", ended)).recordings) is counts


def test_what_counts_is_where_the_deadline_was_in_the_end() -> None:
    made = told(change("a", "tracked", ended=-HOUR, when=0), change("a", "met", ended=HOUR))

    assert [item.recording_id for item in made.recordings] == ["a"]


def test_the_order_in_which_the_broker_tells_changes_nothing() -> None:
    changes = [
        change("a", "tracked", when=1),
        change("a", "missed", when=2, cause="store"),
        change("a", "late", when=3),
    ]

    assert told(*changes) == told(*reversed(changes))


def test_a_miss_stays_a_miss_however_it_goes_on() -> None:
    made = told(change("a", "missed", cause="pipeline"), change("a", "late", when=30 * HOUR))

    assert (only(made).outcome, only(made).cause, only(made).late_at) == ("missed", "pipeline", T0 + 30 * HOUR)


def test_more_files_after_a_met_deadline_make_no_miss_of_it() -> None:
    made = told(change("a", "met"), change("a", "late", when=30 * HOUR))

    assert (only(made).outcome, only(made).late_at, made.totals.late) == ("met", None, 0)


def test_an_expectation_and_the_recording_that_answers_it_are_one_miss() -> None:
    made = told(
        change("issued-1", "expected", when=0),
        change("issued-1", "missed", when=26 * HOUR, cause="not_docked"),
        change("real", "tracked", when=28 * HOUR, stands_for=RecordingId("issued-1")),
        change("real", "late", when=29 * HOUR, stands_for=RecordingId("issued-1")),
    )

    assert (only(made).recording_id, only(made).outcome, only(made).cause) == ("real", "missed", "not_docked")
    assert only(made).late_at == T0 + 29 * HOUR


def test_what_was_withdrawn_was_never_owed_unless_it_was_missed_before() -> None:
    assert told(change("a", "expected", when=0), change("a", "withdrawn")).recordings == ()
    missed = told(change("a", "missed", when=1), change("a", "withdrawn"))
    assert only(missed).outcome == "missed"


def test_units_are_told_apart_and_one_can_be_asked_for() -> None:
    changes = (change("a", "met"), change("b", "missed", unit="Team 3", cause="clock"))

    both, one = told(*changes), told(*changes, unit="Team 3")

    assert [(total.unit, total.met, total.missed) for total in both.units] == [("Team 2", 1, 0), ("Team 3", 0, 1)]
    assert (one.unit, [item.recording_id for item in one.recordings]) == ("Team 3", ["b"])


def test_the_canary_is_nobodys_recording() -> None:
    canary = change("beat", "missed", unit=CANARY_UNIT, cause="pipeline")

    assert told(change("a", "met"), canary).totals.recordings == 1
    assert told(canary, unit=CANARY_UNIT).totals.missed == 1


@pytest.mark.parametrize(
    ("state", "made_at", "complete"),
    [
        ("met", LATER, True),
        ("at_risk", LATER, False),
        ("met", WallMs(T0 + 2 * DAY), True),
        ("met", WallMs(T0 + 2 * DAY - 1), False),
    ],
)
def test_a_report_says_whether_anything_of_its_days_is_still_open(
    state: DeadlineState, made_at: WallMs, complete: bool
) -> None:
    assert told(change("a", state), made_at=made_at).complete is complete


def test_people_to_ask_are_those_who_had_the_device_recorded_and_described() -> None:
    issue = annotation(
        "i-1", "issued", source_id=BWC, unit="Team 2",
        issue=Issue(at=T0, officer="Li", due_back=WallMs(T0 + 1), source_kind="body_camera"),
    )  # fmt: skip
    case = metadata(
        source_id=BWC, recording_id=RecordingId("a"), made_by="Wu", metadata=Metadata(extra=(("recorder_id", "Zhao"),))
    )

    timer = annotation(
        "due-a-missed", "deadline_due", source_id=BWC, recording_id=RecordingId("a"), made_by="deadline timer"
    )

    named = told(change("a", "missed"), said=(issue, case, timer))
    nobody = told(change("a", "missed"))

    assert only(named).ask == ("Li", "Zhao", "Wu")
    assert only(nobody).ask == ("Team 2",)
    assert only(told(change("a", "met"), said=(issue, case))).ask == ()


def test_gaps_are_told_with_who_explained_them_and_a_rejected_explanation_explains_nothing() -> None:
    why = explanation(5_000, 12_000, "why-1", made_by="Li", recording_id=RecordingId("a"))
    no = metadata(
        "no", made_by="Wu", metadata=Metadata(extra=(("reviewed_explanation", "why-1"), ("review_result", "rejected")))
    )
    plain_gap = gap(20_000, 30_000, state="unexplained")
    explained = gap(5_000, 12_000, state="explained", reason="R4", explained_by="why-1")

    open_to_it = told(change("a", "met"), kept={(BWC, "a"): kept(plain_gap, explained, statements=(why,))})
    rejected = told(change("a", "met"), kept={(BWC, "a"): kept(plain_gap, explained, statements=(why, no))})

    assert [(one.explained, one.reason, one.said_by) for one in open_to_it.gaps] == [
        (True, "R4", "Li"),
        (False, None, None),
    ]
    assert (open_to_it.totals.gaps_explained, open_to_it.totals.gaps_unexplained) == (1, 1)
    assert (rejected.totals.gaps_explained, rejected.totals.gaps_unexplained) == (0, 2)
    assert rejected.totals.gap_ms == 17_000


def test_a_gap_that_waits_for_a_review_is_counted_as_such() -> None:
    other = gap(5_000, 12_000, state="explained", reason="R9", explained_by="why-1")

    made = told(change("a", "met"), kept={(BWC, "a"): kept(other)})

    assert (made.totals.gaps_explained, made.totals.gaps_to_review) == (1, 1)


def test_a_cameras_availability_is_what_it_recorded_of_what_it_owed() -> None:
    hall = SourceId("hall-1")
    said = annotation("s", "schedule", schedule=always(), unit="hall", made_at=WallMs(T0 - DAY))
    camera = with_schedule(Camera(), said, POLICY)
    blocks = [change("h0", "met", source_id=hall, unit="hall"), change("h1", "met", source_id=hall, unit="hall")]
    files = {
        (hall, "h0"): kept(runs=((-HOUR, 6 * HOUR),)),
        (hall, "h1"): kept(runs=((5 * HOUR, 12 * HOUR), (13 * HOUR, 18 * HOUR))),
    }

    made = told(*blocks, kept=files, cameras={hall: ("cctv", camera)})

    (one,) = made.cameras
    assert (one.owed_ms, one.recorded_ms) == (DAY, 17 * HOUR)
    assert one.available_millionths == 17 * 1_000_000 // 24


def test_a_camera_is_asked_for_nothing_before_now_and_one_that_owed_nothing_has_no_availability() -> None:
    hall = SourceId("hall-1")
    said = annotation("s", "schedule", schedule=always(), unit="hall", made_at=WallMs(T0 - DAY))
    camera = with_schedule(Camera(), said, POLICY)

    running = told(cameras={hall: ("cctv", camera)}, made_at=WallMs(T0 + 2 * HOUR))
    later = told(cameras={hall: ("cctv", replace(camera, since=LATER))})

    assert (running.cameras[0].owed_ms, running.cameras[0].available_millionths) == (2 * HOUR, 0)
    assert later.cameras[0].available_millionths is None


def test_what_could_not_be_looked_at_is_named() -> None:
    assert told(not_known=("deadlines before September",)).not_known == ("deadlines before September",)


def test_blocks_that_reach_into_a_period_are_asked_for_too() -> None:
    changes = [change("in", "met", DAY), change("reaches", "met", DAY + HOUR), change("after", "met", DAY + HOUR + 1)]

    assert [name for _, name in in_period(changes, None, PERIOD, POLICY)] == ["in", "reaches"]


def test_the_signature_covers_everything_but_itself() -> None:
    made = told(change("a", "missed", cause="metadata", missing_fields=("party_name",)))
    unsigned = document(made, "key-1")

    parsed = json.loads(with_signature(unsigned, b"sig"))

    assert parsed.pop("signature") == "c2ln"
    assert canonical(parsed) == canonical(unsigned)
    assert (parsed["format"], parsed["key_id"]) == ("unbroken.sla-report.v1", "key-1")


@pytest.mark.parametrize(
    ("unit", "key"),
    [
        (None, "reports/2026-11-24/all.json"),
        ("Team 2", "reports/2026-11-24/unit-Team_202.json"),
        ("a/../b", "reports/2026-11-24/unit-a_2F.._2Fb.json"),
        ("all", "reports/2026-11-24/unit-all.json"),
        ("a_b~", "reports/2026-11-24/unit-a_5Fb_7E.json"),
        ("二", "reports/2026-11-24/unit-_E4_BA_8C.json"),
    ],
)
def test_a_days_report_has_a_key_of_its_own_whatever_a_unit_is_called(unit: str | None, key: str) -> None:
    assert report_key("2026-11-24", unit) == key
    assert is_sla_key(key)
    assert not is_sla_key("recordings/a/b/r1/receipt.json")


def test_a_long_name_of_a_unit_makes_a_key_that_stores_take() -> None:
    longest, other = (report_key("2026-11-24", "队" * 199 + end) for end in "一二")

    assert longest != other
    assert is_sla_key(longest)
    assert len(longest) < 100


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-23T10:00:00.000Z", "2026-11-24T10:00:00.000Z"),
        ("2026-11-23T16:00:00.000Z", "2026-11-24T16:00:00.000Z"),
        ("2026-11-24T00:00:00.000Z", "2026-11-25T00:00:00.000Z"),
        ("2026-11-24T12:00:00.000Z", "2026-11-25T12:00:00.000Z"),
    ],
    ids=["+14", "+8", "0", "-12"],
)
def test_a_report_lies_at_the_day_and_unit_it_is_of_in_every_zone(start: str, end: str) -> None:
    fields = {"format": "unbroken.sla-report.v1", "unit": "Team 1", "start": start, "end": end}

    places = {(day, unit): misplaced(report_key(day, unit), fields) for day in DAYS for unit in ("Team 1", None)}

    assert [place for place, why in places.items() if not why] == [("2026-11-24", "Team 1")]


DAYS = ("2026-11-22", "2026-11-24", "2026-11-26")


@pytest.mark.parametrize("fields", [{}, {"format": "unbroken.seal.v1"}, {"format": "unbroken.sla-report.v1"}])
def test_what_is_no_report_lies_nowhere(fields: dict[str, str]) -> None:
    assert misplaced(report_key("2026-11-24", None), fields)
