"""Table: what the corpus shows, a line for each class."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from tests.corpus.cases import Case
from tests.corpus.score import Score

PAGE: Final = Path(__file__).parents[2] / "docs" / "corpus.md"
VERDICTS: Final = ("continuous", "degraded", "interrupted", "not_testable", "unreadable")
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


def rows(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    """The table's rows: classes of faults with their total, then classes of controls with theirs."""
    parts = [lines(s for s in scores if is_fault(s.case)), lines(s for s in scores if not is_fault(s.case))]
    sums = [total(part, name) for part, name in zip(parts, ("**every fault**", "**every whole one**"), strict=True)]
    return [line.cells() for part, last in zip(parts, sums, strict=True) for line in (*part, last)]


def markdown(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    head = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def written(own: str, others: str, fuzzed: str, versions: str, seeds: str) -> str:
    """``docs/corpus.md``."""
    return _TEXT.format(own=own, others=others, fuzzed=fuzzed, versions=versions, seeds=seeds)


_TEXT: Final = """# The corpus

Recordings that were broken on purpose, so that the truth is known, and as many that are whole and look odd. Every test run
makes them anew and judges them by the code behind `unbroken check`; this page is held against that run
(`tests/corpus/test_corpus.py`). `make corpus` prints it, `python -m tests.corpus --write` renders it. Rendered with
{versions}; seeds {seeds}.

A real encoder makes 27 *reels* (H.264 with and without B-frames, with a pyramid and with open groups of pictures; H.265,
MPEG-4, MPEG-2, MJPEG, VP8, VP9; AAC, MP3, MP2, Opus, Vorbis, FLAC, G.711, PCM; 1 to 60 frames a second). Packets are left
out, moved or cut, and muxers write the files. What must be found follows from the packets left out and from the
[policy](../pipeline/policy.toml), never from our own readers.

## Found and invented

*Size error*: the largest allowed error is 1, a frame of the stream that was cut, or the error bar of the wall clock where
nothing else can tell. *False*: a finding above a note for which nothing was done to the recording.

{own}

What stands behind the classes, and what the numbers do not say:

- *hole*: 0.12 to 3 s left out of all streams or of one, at three places; up to 250 ms or three frames it must be called
  dropped frames, beyond it a gap (all streams) or a partial gap.
- *truncated*: cut in the header, the index, the data, the last packet, by size. A cut exactly between two packets of a
  transport stream, or between two MP3 or ADTS frames, leaves no trace and is not in the corpus: the last two are never
  called continuous, the first is.
- *packet loss*: 1, 5 and 15 packets of one PID. Sixteen in a row are invisible to the counter.
- *garbage over packets*: what lay under it may also be frames lost; that is not counted as invented.
- *file missing, wall clock*: files that begin at zero are placed by their names. A hole of less than 2 s, the error bar of
  such evidence, is not found, and `check` says so each time.
- *cut and re-stamped*: found only because the names' clock runs on; a forger who changes the names too is not found here.
- Between two files of one clock a hole of up to 500 ms is within the policy's tolerance and not in the corpus.
- Sound as PCM in QuickTime files stores no times: a hole of more than half a second in it shows as sound that ends early, a
  degradation without a place; where the picture has the same hole it is a partial gap. Not in the corpus.
- A slow first picture (325 ms, as phones write) is exempt in MP4 and QuickTime only. The same packets in a transport stream
  are called a gap, because there it is more often one.
- The reels are made by one family of encoders. Cameras vary more; a rule that fits only these reels would not show here.

## Beside what is commonly used

Every eighth case of the same run, counted when anything is called missing or broken. Nothing should be counted for
whole recordings, copies, overlaps, clock steps and restarts without a pause.

{others}

- *ffprobe, pts + duration*: a packet more than 250 ms after the end of the one before. MP4 keeps no end of its own: a hole
  makes the frame before it longer, so none is seen there.
- *a second between files*: the start in the name within a second of the end of the file before it.
- *put together by duration*: what a concatenation notices, files that do not open.

## Damaged files

Files of a few kilobytes with bits flipped, runs overwritten, ends cut, pieces taken out and put in, sizes edited, two files
spliced; read in the media pool with its limits. *Knowable* is damage that the format's own structure shows
(`tests/corpus/fuzz.py` defines it). For MP3 and FLAC nothing is counted as knowable.

{fuzzed}
"""
