"""Table: what the corpus shows, a line for each class."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tests.corpus.cases import Case
from tests.corpus.score import Score

COLUMNS: Final = (
    "class", "cases", "to find", "found", "false interruptions", "false degradations", "size error, frames: median",
    "largest", "wrong verdicts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One class. Size errors are counted in frames of the stream that was cut, or in error bars of a wall clock."""

    klass: str
    cases: int
    expected: int
    found: int
    interruptions: int
    degradations: int
    median_error: Fraction | None
    largest_error: Fraction | None
    wrong: int

    def cells(self) -> tuple[str, ...]:
        errors = ("" if e is None else f"{float(e):.2f}" for e in (self.median_error, self.largest_error))
        return (
            self.klass, *map(str, (self.cases, self.expected, self.found, self.interruptions, self.degradations)),
            *errors, str(self.wrong),
        )  # fmt: skip


def lines(scores: Iterable[Score]) -> list[Line]:
    classes: dict[str, list[Score]] = {}
    for score in scores:
        classes.setdefault(score.case.klass, []).append(score)
    return [_line(klass, group) for klass, group in classes.items()]


def total(lines: Sequence[Line], klass: str) -> Line:
    largest = [line.largest_error for line in lines if line.largest_error is not None]
    return Line(
        klass,
        sum(line.cases for line in lines),
        sum(line.expected for line in lines),
        sum(line.found for line in lines),
        sum(line.interruptions for line in lines),
        sum(line.degradations for line in lines),
        None,
        max(largest, default=None),
        sum(line.wrong for line in lines),
    )


def is_fault(case: Case) -> bool:
    return not case.klass.startswith("whole")


def _line(klass: str, group: Sequence[Score]) -> Line:
    false = [finding for score in group for finding in score.false]
    errors = [
        abs(hit.size_error_s) / hit.expected.slack_s
        for score in group
        for hit in score.hits
        if hit.size_error_s is not None
    ]
    return Line(
        klass,
        len(group),
        sum(len(score.case.expected) for score in group),
        sum(len(score.hits) for score in group),
        sum(finding.level == "interruption" for finding in false),
        sum(finding.level == "degradation" for finding in false),
        statistics.median(errors) if errors else None,
        max(errors, default=None),
        sum(not score.right for score in group),
    )


def markdown(rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> str:
    head = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])
