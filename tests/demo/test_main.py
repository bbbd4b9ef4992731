from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.demo import __main__ as demo
from pipeline.demo.footage import Shot
from pipeline.demo.stand import StandFailed
from pipeline.demo.truth import Plant, PlantedGap
from pipeline.domain.time import WallMs
from tests.demo.reports import report_of
from tests.demo.test_report import GAP, START, TRUTH

PLANTED = replace(
    TRUTH, plants=(Plant(what="one file missing", shows="gap"), Plant(what="one file twice", shows="duplicate"))
)
LATE = PlantedGap(start=WallMs(START + 20_000), end=WallMs(START + 30_000), tolerance_ms=60, state="unexplained")


def test_each_plant_of_a_true_report_is_right() -> None:
    rows = demo._rows(PLANTED, report_of(PLANTED))

    assert [(row.planted, row.right) for row in rows] == [("one file missing", True), ("one file twice", True)]


@pytest.mark.parametrize(
    "change",
    [{"findings": []}, {"gaps": []}, {"verdict": "continuous"}, {"segments": 11}],
    ids=lambda change: next(iter(change)),
)
def test_nothing_counts_as_found_in_a_report_that_is_not_the_truth(change: dict[str, object]) -> None:
    rows = demo._rows(PLANTED, report_of(PLANTED) | change)

    assert not any(row.right for row in rows)


def test_nothing_counts_as_found_without_a_report() -> None:
    assert [(row.found, row.right) for row in demo._rows(PLANTED, None)] == [("not found", False)] * 2


@pytest.mark.parametrize(
    ("before", "after", "right"),
    [((GAP, LATE), (GAP,), True), ((GAP,), (GAP,), False), ((GAP, LATE), (GAP, LATE), False)],
)
def test_a_late_file_is_seen_by_a_gap_that_was_there_and_is_gone(
    before: tuple[PlantedGap, ...], after: tuple[PlantedGap, ...], right: bool
) -> None:
    shot = Shot(
        source_id=TRUTH.source_id,
        unit=TRUTH.unit,
        kind=TRUTH.kind,
        folder=Path("unused"),
        files=(),
        truths=(TRUTH,),
        late_gap=LATE,
    )

    row = demo._late_row(shot, report_of(replace(TRUTH, gaps=before)), report_of(replace(TRUTH, gaps=after)))

    assert row.right is right


def test_two_demos_do_not_run_on_one_stand(tmp_path: Path) -> None:
    with (
        demo._alone(tmp_path),
        pytest.raises(StandFailed, match=r"another demo is running \(pid \d+\)"),
        demo._alone(tmp_path),
    ):
        pass
    with demo._alone(tmp_path):
        pass


def test_without_the_stacks_settings_the_demo_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UNBROKEN_STORE_ACCESS_KEY", raising=False)

    code = demo.main()

    assert code == 2
    assert "make demo" in capsys.readouterr().out
