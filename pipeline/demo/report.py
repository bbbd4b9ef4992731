"""Report: the demo's results for a person at a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box, filesize
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.terms import VERDICT_COLOURS
from pipeline.demo.locks import LockView
from pipeline.demo.truth import Plant, finding_kinds
from pipeline.domain.time import WallMs, to_rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One plant, what was found of it, and whether that is the truth."""

    planted: str
    found: str
    right: bool


def show_recording(console: Console, report: Mapping[str, Any], locks: LockView) -> None:
    """One recording: verdict, where each gap is, chain, locks, deadline."""
    verdict = report["verdict"] or "open"
    table = Table(box=box.SIMPLE_HEAD, show_header=False, width=96, pad_edge=False, title_justify="left")
    table.title = Text.assemble(
        (report["recording_id"], "bold"), "  ", (verdict.upper(), f"bold {VERDICT_COLOURS.get(verdict, 'white')}")
    )
    table.add_column(width=10, style="dim")
    table.add_column(overflow="fold")
    table.add_row("recorded", _recorded(report))
    for number, gap in enumerate(report["gaps"], start=1):
        table.add_row(f"gap {number}", gap_text(gap))
    if kinds := finding_kinds(report):
        table.add_row("findings", ", ".join(kinds))
    chain, deadline = report["chain"], report["deadline"]
    table.add_row("chain", f"{chain['links']} links, {'closed' if chain['closed'] else 'open'}, its head is")
    table.add_row("", str(chain["head"]))
    table.add_row(
        "locked",
        f"{_count(locks.originals, 'original')} and {_count(locks.records, 'record')}, {' and '.join(locks.modes)},"
        f" {'not all for a time' if locks.retain_until_min is None else f'until {_minute(locks.retain_until_min)} or later'}",
    )
    cause = f", {deadline['cause']}" if deadline and deadline["cause"] else ""
    due = f"{deadline['state']}{cause}, due {_minute(deadline['at'])}" if deadline else "not tracked yet"
    table.add_row("deadline", due)
    console.print(table)


def gap_text(gap: Mapping[str, Any]) -> str:
    """Where a gap is, how long, and what is known of its reason."""
    reason = f": {gap['reason']}" if gap["reason"] else ""
    return f"{gap['start'][11:23]} to {gap['end'][11:23]}, {float(gap['seconds']):.3f} s, {gap['state']}{reason}"


def show_planted(console: Console, rows: Sequence[Row]) -> None:
    """What was planted, and what the product says of it."""
    table = Table(box=box.SIMPLE_HEAD, width=96, pad_edge=False, title="Planted, and found", title_justify="left")
    table.add_column("", width=1)
    table.add_column("planted", width=40)
    table.add_column("found", overflow="fold")
    for row in rows:
        mark = ("✓", "green") if row.right else ("✗", "bold red")
        table.add_row(Text(*mark), row.planted, row.found)
    console.print(table)


def evidence(plant: Plant, report: Mapping[str, Any] | None) -> str | None:
    """The part of a report that shows the plant was found, in words; ``None`` if nothing does."""
    if report is None:
        return None
    if plant.shows == "verdict":
        return f"{report['verdict']}, {float(report['covered_s']):.3f} s in {_count(len(report['runs']), 'run')}"
    if plant.shows == "gap":
        return "; ".join(map(gap_text, report["gaps"])) or None
    return next((f"{f['kind']}: {f['found']}" for f in report["findings"] if f["kind"] == plant.shows), None)


def _recorded(report: Mapping[str, Any]) -> str:
    files = f"{_count(report['segments'], 'file')}, {filesize.decimal(report['bytes'])}"
    if report["started_at"] is None:
        return f"at an unknown time; {files}"
    day, start, end = report["started_at"][:10], report["started_at"][11:19], report["ended_at"][11:19]
    return f"{day} {start} to {end} UTC, {float(report['covered_s']):.3f} s covered; {files}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _minute(instant: str | WallMs | None) -> str:
    if instant is None:
        return "never"
    text = to_rfc3339(instant) if isinstance(instant, WallMs) else instant
    return f"{text[:10]} {text[11:16]} UTC"
