from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.demo import report
from pipeline.demo.locks import LockView
from pipeline.demo.truth import Plant, PlantedGap, Truth
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.time import WallMs, from_rfc3339
from tests.demo.reports import report_of

START = from_rfc3339("2026-11-24T08:00:00.000Z")
GAP = PlantedGap(
    start=WallMs(START + 50_000), end=WallMs(START + 70_000), tolerance_ms=60, state="explained", reason="lens cleaning"
)
TRUTH = Truth(
    recording_id=RecordingId("hall-1-k3f9-20261124T080000Z"),
    source_id=SourceId("hall-1-k3f9"),
    unit="service-hall",
    kind="cctv",
    verdict="interrupted",
    started_at=START,
    ended_at=WallMs(START + 120_000),
    covered_ms=100_000,
    tolerance_ms=100,
    segments=10,
    bytes=3_056_880,
    originals=(),
    deadline="met",
    gaps=(GAP,),
    findings=("duplicate",),
)
LOCKS = LockView(
    originals=10, records=5, modes=("COMPLIANCE",), retain_until_min=from_rfc3339("2026-11-25T08:03:00.000Z")
)


@pytest.fixture
def console() -> Console:
    return Console(width=100, file=io.StringIO(), highlight=False)


def _shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_recording_fits_100_columns_and_shows_verdict_gap_chain_locks_and_deadline(console: Console) -> None:
    report.show_recording(console, report_of(TRUTH), LOCKS)

    shown = _shown(console)
    assert max(map(len, shown.splitlines())) <= 100
    for part in (
        "hall-1-k3f9-20261124T080000Z  INTERRUPTED",
        "08:00:50.000 to 08:01:10.000, 20.000 s, explained: lens cleaning",
        "14 links, closed",
        "0123456789abcdef" * 4,
        "10 originals and 5 records, COMPLIANCE, until 2026-11-25 08:03 UTC",
        "met, due 2026-11-25 08:02 UTC",
        "duplicate",
    ):
        assert part in shown


def test_a_recording_nothing_places_in_time_is_shown_as_such(console: Console) -> None:
    photo = replace(TRUTH, verdict="not_testable", started_at=None, ended_at=None, gaps=(), findings=("not_testable",))

    report.show_recording(console, report_of(photo), replace(LOCKS, retain_until_min=None))

    assert "at an unknown time" in _shown(console)
    assert "until never" not in _shown(console)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (Plant(what="", shows="gap"), "08:00:50.000 to 08:01:10.000, 20.000 s, explained: lens cleaning"),
        (Plant(what="", shows="duplicate"), "duplicate: a duplicate"),
        (Plant(what="", shows="truncated"), None),
        (Plant(what="", shows="verdict"), "interrupted, 100.000 s in 0 runs"),
    ],
)
def test_evidence_of_a_plant_is_what_the_report_says_of_it(plant: Plant, found: str | None) -> None:
    assert report.evidence(plant, report_of(TRUTH)) == found


def test_a_plant_without_a_report_has_no_evidence() -> None:
    assert report.evidence(Plant(what="", shows="gap"), None) is None


def test_the_list_of_plants_marks_what_is_wrong(console: Console) -> None:
    rows = [
        report.Row(planted="two files missing", found="20.000 s", right=True),
        report.Row(planted="one file twice", found="not found", right=False),
    ]

    report.show_planted(console, rows)

    lines = _shown(console).splitlines()
    assert [line for line in lines if "✓" in line and "two files missing" in line]
    assert [line for line in lines if "✗" in line and "not found" in line]
