"""What ``unbroken check`` shows: one screen for each recording, or JSON. Words carry the meaning; colour only repeats it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.cli.check_english import ENGLISH
from pipeline.cli.check_words import clock, local, not_tested, rests_on, untested
from pipeline.cli.printable import printable
from pipeline.cli.tables import table
from pipeline.cli.terms import VERDICT_COLOURS
from pipeline.domain.canonical import plain
from pipeline.domain.check import Checked, Observation, covered_cells, gravest
from pipeline.domain.grounds import Unread
from pipeline.domain.policy import Policy
from pipeline.domain.recording import JudgedSegment
from pipeline.domain.time import seconds

_ROWS: Final = 20
_NAMED: Final = 5
_BAR_MOST: Final = 100


def screen(
    results: Sequence[Checked], passed_over: Sequence[Unread], policy: Policy, zone: tzinfo, console: Console
) -> Iterator[RenderableType]:
    """All recordings, then what was passed over, then a last line that counts."""
    ascii_only = console.options.ascii_only
    for checked in results:
        yield from _recording(checked, zone, min(console.width, _BAR_MOST), ascii_only)
    if passed_over:
        shown = "; ".join(f"{item.name}: {item.reason}" for item in passed_over[:_NAMED])
        more = len(passed_over) - _NAMED
        yield _text("not media, passed over: " + shown + (f"; and {more} more" if more > 0 else ""))
    yield _text(_closing(results, policy))


def _closing(results: Sequence[Checked], policy: Policy) -> str:
    verdicts = [checked.verdict.replace("_", " ") for checked in results]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
    told = {0: "nothing to judge: no media files there. ", 1: ""}.get(
        len(results), f"{len(results)} recordings: {counts}. "
    )
    return f"{told}Judged by policy {policy.version}; the files were only read."


def _recording(checked: Checked, zone: tzinfo, width: int, ascii_only: bool) -> Iterator[RenderableType]:
    yield Text.assemble(
        printable(checked.name) + ": ",
        (checked.verdict.replace("_", " ").upper(), f"bold {VERDICT_COLOURS.get(checked.verdict, '')}".strip()),
        printable(_in_short(checked)),
    )
    ended = checked.ended
    if ended is not None:
        if ended.started_at is not None and ended.ended_at is not None:
            day = local(ended.started_at, zone).strftime("%Y-%m-%d")
            times = f"{day} {clock(ended.started_at, ended.started_at, zone)} to {clock(ended.ended_at, ended.started_at, zone)} ({zone})"
            yield _text(f"{times}: {seconds(checked.span_ms)}, {seconds(ended.covered_ms)} of it recorded")
        elif ended.covered_ms:
            yield _text(f"{seconds(ended.covered_ms)} recorded, at no known time")
    rows = gravest(checked.observations, _ROWS)
    yield from _bar(checked, rows, width, ascii_only)
    if rows:
        yield _table(rows, checked, zone)
    if len(rows) < len(checked.observations):
        yield _text(f"and {len(checked.observations) - len(rows)} less grave; --json lists all")
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for number, line in enumerate(rests_on(ENGLISH, checked.bases)):
        facts.add_row("" if number else "rests on", _text(line))
    for number, line in enumerate(not_tested(ENGLISH, checked.not_tested, _ROWS)):
        facts.add_row("" if number else "not tested", _text(line))
    yield facts
    yield Text()


def _in_short(checked: Checked) -> str:
    ended = checked.ended
    if ended is None:
        return ""
    gaps = [item.size_ms or 0 for item in checked.observations if item.kind == "gap"]
    missing = f", {_count(len(gaps), 'gap')}, {seconds(sum(gaps))} missing" if gaps else ""
    others = [item for item in checked.observations if item.level == "interruption" and item.kind != "gap"]
    if others:
        missing += (
            f", {len(others)} {others[0].kind.replace('_', ' ') if len({o.kind for o in others}) == 1 else 'others'}"
        )
    copies = sum(segment.duplicate for _, segment in checked.files)
    return f"{missing}, {_count(ended.segments, 'file')}" + (f" ({copies} a repeat)" if copies else "")


def _bar(checked: Checked, rows: Sequence[Observation], width: int, ascii_only: bool) -> Iterator[RenderableType]:
    """Recorded time from left to right, holes in it, and under it the numbers of the table's rows."""
    ended = checked.ended
    if ended is None or ended.started_at is None or ended.ended_at is None or ended.ended_at <= ended.started_at:
        return
    start, end = ended.started_at, ended.ended_at
    cells = covered_cells(ended.runs, start, end, width)
    full, hole = ("#", ".") if ascii_only else ("█", "░")
    bar = Text()
    for covered in cells:
        bar.append(full if covered else hole, "" if covered else "red")
    yield bar
    marks = [" "] * width
    for number, row in enumerate(rows, start=1):
        if row.start is not None:
            at = min(width - 1, max(0, (row.start - start) * width // (end - start)))
            label = str(number)
            if all(mark == " " for mark in marks[max(0, at - 1) : at + len(label) + 1]) and at + len(label) <= width:
                marks[at : at + len(label)] = label
            else:
                marks[at] = "+" if marks[at] == " " else marks[at]
    if any(mark != " " for mark in marks):
        yield Text("".join(marks).rstrip())
    if not all(cells):
        yield Text(f"{full} recorded  {hole} something missing  numbers: the rows below", "dim")


def _table(rows: Sequence[Observation], checked: Checked, zone: tzinfo) -> Table:
    found = table(("#", "when", "finding", "what"), unfolded="#")
    since = checked.ended.started_at if checked.ended else None
    placed = {name: (segment.start, segment.end) for name, segment in checked.files}
    for number, row in enumerate(rows, start=1):
        start, end = (row.start, row.end) if row.start is not None else placed.get(row.file or "", (None, None))
        when = "no place"
        if start is not None:
            when = clock(start, since, zone) + (f" to {clock(end, since, zone)}" if end is not None else "")
        if row.start is None and start is not None:
            when = f"within {when}"
        level = f"{row.kind.replace('_', ' ')}: {row.level}"
        colour = {"interruption": "red", "degradation": "yellow"}.get(row.level, "")
        found.add_row(str(number), when, Text(level, colour), _text(_what(row)))
    return found


def _what(row: Observation) -> str:
    where = f" between {row.after} and {row.file}" if row.file and row.after and row.kind != "duplicate" else ""
    if row.file and not where:
        where = f" in {row.file}" if row.kind != "duplicate" else f": {row.file} repeats {row.after}"
    stream = f", stream {row.stream}" if row.stream is not None else ""
    return f"{row.found}{where}{stream} (expected {row.expected}; rests on {row.evidence.replace('_', ' ')})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text(text: str) -> Text:
    return Text(printable(text))


# JSON.


def report(results: Sequence[Checked], passed_over: Sequence[Unread], policy: Policy) -> dict[str, Any]:
    """The result as ``schemas/check-report.v1`` has it. Seconds are numbers with milliseconds."""
    return {
        "policy_version": policy.version,
        "recordings": [_recording_report(checked) for checked in results],
        "passed_over": [item._asdict() for item in passed_over],
    }


def _recording_report(checked: Checked) -> Mapping[str, Any]:
    ended = checked.ended
    return {
        "name": checked.name,
        "verdict": checked.verdict,
        "started_at": plain(ended.started_at) if ended else None,
        "ended_at": plain(ended.ended_at) if ended else None,
        "span_s": checked.span_ms / 1000,
        "covered_s": ended.covered_ms / 1000 if ended else 0,
        "runs": plain(ended.runs) if ended else [],
        "files": [_file_report(name, segment) for name, segment in checked.files],
        "findings": [_finding_report(item) for item in checked.observations],
        "rests_on": [basis._asdict() for basis in checked.bases],
        "not_tested": [untested(ENGLISH, item) for item in checked.not_tested],
        "unread": [item._asdict() for item in checked.unread],
    }


def _file_report(name: str, segment: JudgedSegment) -> Mapping[str, Any]:
    facts, landed = segment.probed.facts, segment.probed.landed
    return {
        "name": name,
        "sha256": landed.object.sha256,
        "size_bytes": landed.object.size_bytes,
        "media": facts.media,
        "container": facts.container,
        "reader": facts.reader,
        "duplicate": segment.duplicate,
        "start": plain(segment.start),
        "end": plain(segment.end),
    }


def _finding_report(item: Observation) -> Mapping[str, Any]:
    return {
        "kind": item.kind,
        "level": item.level,
        "stream": item.stream,
        "file": item.file,
        "after": item.after,
        "start": plain(item.start),
        "end": plain(item.end),
        "at_s": None if item.at_ms is None else item.at_ms / 1000,
        "seconds": None if item.size_ms is None else item.size_ms / 1000,
        "evidence": item.evidence,
        "detail": f"expected {item.expected}, found {item.found}",
    }
