"""The corpus: every loss found and sized, nothing invented in what is whole, every verdict right."""

from __future__ import annotations

from tests.corpus.score import Score
from tests.corpus.table import COLUMNS, PAGE, markdown, rows


def test_there_are_six_hundred_of_each(faults: list[Score], controls: list[Score]) -> None:
    assert len(faults) >= 600
    assert len(controls) >= 600


def test_case_names_are_told_apart(faults: list[Score], controls: list[Score]) -> None:
    names = [(score.case.klass, score.case.name) for score in [*faults, *controls]]

    assert len(names) == len(set(names))


def test_everything_that_is_missing_is_found(faults: list[Score]) -> None:
    assert {score.case.name: score.missed for score in faults if score.missed} == {}


def test_sizes_and_places_are_right_to_a_frame(faults: list[Score]) -> None:
    off = {score.case.name: hit for score in faults for hit in score.hits if not hit.exact}

    assert off == {}


def test_nothing_is_invented_beside_a_real_loss(faults: list[Score]) -> None:
    assert {score.case.name: (*score.false, *score.odd) for score in faults if score.false or score.odd} == {}


def test_nothing_is_invented_in_a_whole_recording(controls: list[Score]) -> None:
    assert {score.case.name: (*score.false, *score.odd) for score in controls if score.false or score.odd} == {}


def test_every_verdict_is_right(faults: list[Score], controls: list[Score]) -> None:
    wrong = {score.case.name: score.verdict for score in [*faults, *controls] if not score.right}

    assert wrong == {}


def test_the_written_table_is_this_runs(faults: list[Score], controls: list[Score]) -> None:
    """``python -m tests.corpus --write`` renders it."""
    assert markdown(rows([*faults, *controls]), COLUMNS) in PAGE.read_text("utf-8")
