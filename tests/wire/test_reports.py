"""What the commands print is what their schemas promise."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain.annotation import Metadata
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.time import WallMs
from pipeline.wire.reports import Awaited, Chained, Reported, gap_reports, recording_report, weakest_mode
from tests.builders import explanation, metadata, policy
from tests.builders_archive import archived, ended, gap, locked
from tests.wire.contract import validator

CHAIN = Chained(links=7, head="0123456789abcdef" * 4, closed=True)


def _reported(**changes: object) -> Reported:
    made = Reported(
        account=ended(gaps=(gap(5_000, 12_000),)), chain=CHAIN, archived=archived(), deadline=None, ended=True
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # names of its fields


def _due(account_unit: str) -> DeadlineChanged:
    known = ended()
    return DeadlineChanged(
        source_id=known.source_id,
        source_kind=known.source_kind,
        unit=account_unit,
        recording_id=known.recording_id,
        at=WallMs(1_800_000_000_000),
        state="missed",
        changed_at=WallMs(1_800_000_000_001),
        cause="metadata",
    )


def test_a_report_is_as_its_schema_says() -> None:
    reports = [
        recording_report(_reported()),
        recording_report(_reported(deadline=_due("unit"))),
        recording_report(_reported(deadline=_due("unit"), awaited=Awaited("verified", ("case_name",)))),
        recording_report(_reported(archived=None)),
        recording_report(_reported(archived=None, ended=False, chain=Chained(links=0, head=None, closed=False))),
    ]

    faults = [f"{error.json_path}: {error.message}" for error in validator("recordings.v1").iter_errors(reports)]

    assert faults == []


def test_a_report_says_how_far_the_recording_has_come() -> None:
    open_one, pending, done = (
        recording_report(_reported(archived=None, ended=False)),
        recording_report(_reported(archived=None)),
        recording_report(_reported()),
    )

    states = [report["archive"]["state"] for report in (open_one, pending, done)]

    assert states == ["open", "pending", "archived"]


def test_a_gap_is_told_in_seconds_with_milliseconds() -> None:
    (told,) = recording_report(_reported())["gaps"]

    assert told["seconds"] == 7.0
    assert set(told) == {"start", "end", "seconds", "state", "reason"}


def test_a_listed_gap_names_its_recording_and_is_as_its_schema_says() -> None:
    told = gap_reports(_reported(), policy())

    assert [f"{error.json_path}: {error.message}" for error in validator("gaps.v1").iter_errors(told)] == []
    assert [(one["recording_id"], one["seconds"]) for one in told] == [(ended().recording_id, 7.0)]


def test_the_weakest_lock_is_the_one_reported() -> None:
    strong, weak, none = (
        locked("a"),
        replace(locked("b"), lock_mode="GOVERNANCE"),
        replace(locked("c"), lock_mode="none"),
    )

    assert weakest_mode([strong]) == "COMPLIANCE"
    assert weakest_mode([strong, weak]) == "GOVERNANCE"
    assert weakest_mode([weak, none, strong]) == "none"
    assert weakest_mode([]) is None


def test_a_gap_says_what_another_person_said_of_its_explanation() -> None:
    known = ended()
    why = explanation(5_000, 12_000, "why-1", made_by="Li", recording_id=known.recording_id)
    said = Metadata(extra=(("reviewed_explanation", "why-1"), ("review_result", "rejected")))
    review = metadata("review-1", metadata=said, made_by="Wu", recording_id=known.recording_id)
    explained = replace(gap(5_000, 12_000), state="explained", reason="R9", explained_by="why-1")
    account = replace(known, gaps=(explained,))

    waiting = gap_reports(_reported(account=account, statements=(why,)), policy())
    rejected = gap_reports(_reported(account=account, statements=(why, review)), policy())

    assert [waiting[0]["review"], rejected[0]["review"]] == ["waiting", "rejected"]
