"""``unbroken recordings [ID]``: every recording with its verdict, gaps, chain, archive and deadline; or one in full."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, get_args

import typer
from rich.table import Table

from pipeline.cli.tables import wide_console
from pipeline.cli.terms import VERDICT_COLOURS
from pipeline.domain.findings import FindingKind
from pipeline.domain.tracked import DeadlineState
from pipeline.settings import Settings

_AWAITED: Final = {
    "expected": "nothing of it has arrived",
    "received": "not all of its files are here and read",
    "described": "not archived yet",
}
"""What else a deadline waits for beside case data."""
_UNARCHIVED: Final = {"open": "not ended yet", "pending": "ended, on its way"}


def register(app: typer.Typer) -> None:
    """Add the ``recordings`` command."""
    app.command("recordings")(recordings)


def recordings(
    recording_id: Annotated[
        str | None, typer.Argument(help="Show this one in full, its locks asked of the store now.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Only those of this unit.")] = None,
    finding: Annotated[
        str | None,
        typer.Option(
            help="Only those in which this was found, say clock_step (docs/continuity.md).",
            callback=lambda text: _one_of(get_args(FindingKind), text),
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            help="Only those whose deadline stands so, say missed.",
            callback=lambda text: _one_of(get_args(DeadlineState), text),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/recordings.v1).")] = False,
) -> None:
    """List recordings: ended ones from the archive, open ones from the running state. Exit 1 if the one named is unknown."""
    from pipeline.cli.catalogue import recordings as known
    from pipeline.wire.reports import recording_report

    reports = chosen(
        [recording_report(reported) for reported in known(Settings(), recording_id)], unit, finding, deadline
    )
    if as_json:
        typer.echo(json.dumps(reports, indent=2, ensure_ascii=False))
    elif recording_id is None and reports:
        wide_console().print(listing(reports))
    elif recording_id is None:
        asked = (unit, finding, deadline) != (None, None, None)
        typer.echo("no such recording" if asked else "no recordings yet; `unbroken import FOLDER` brings some in")
    else:
        for report in reports:
            for part in detail(report):
                wide_console().print(part)
    if recording_id is not None and not reports:
        typer.echo(f"no recording of that name is open or archived ({recording_id})", err=True)
        raise typer.Exit(1)


def _one_of(words: Sequence[str], text: str | None) -> str | None:
    if text not in (None, *words):
        raise typer.BadParameter(f"expected one of {', '.join(words)}, found {text!r}")
    return text


def chosen(
    reports: Sequence[Mapping[str, Any]], unit: str | None, finding: str | None, deadline: str | None
) -> list[Mapping[str, Any]]:
    """Those asked for; what is ``None`` was not asked."""
    return [
        report
        for report in reports
        if unit in (None, report["unit"])
        and (finding is None or any(item["kind"] == finding for item in report["findings"]))
        and (deadline is None or (report["deadline"] or {}).get("state") == deadline)
    ]


def listing(reports: Sequence[Mapping[str, Any]]) -> Table:
    """One line per recording. Words carry the meaning; colour only repeats it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recording", overflow="fold", min_width=16)
    for column in ("verdict", "started (UTC)", "covered", "gaps", "archive", "deadline (UTC)"):
        table.add_column(column, no_wrap=column in ("started (UTC)", "covered"))
    for report in reports:
        archive, deadline = report["archive"], report["deadline"]
        table.add_row(
            report["recording_id"],
            _verdict(report),
            _clock(report["started_at"])[:16],
            f"{report['covered_s']:.1f} s",
            gaps_in_words(report["gaps"]),
            _UNARCHIVED.get(archive["state"]) or f"locked to {archive['retain_until_min'][:10]}",
            _deadline_in_short(deadline),
        )
    return table


def _deadline_in_short(deadline: Mapping[str, Any] | None) -> str:
    """The date only while it is ahead; a miss with its cause."""
    if deadline is not None and deadline["state"] in ("tracked", "at_risk"):
        return f"{'due' if deadline['state'] == 'tracked' else 'at risk'} {_clock(deadline['at'])[5:16]}"
    return deadline_in_words(deadline).partition(",")[0]


def detail(report: Mapping[str, Any]) -> list[Table]:
    """One recording: its facts, its gaps, its findings."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "recording": report["recording_id"],
        "source, unit": f"{report['source_id']} ({report['kind']}), {report['unit']}",
        "verdict": _verdict(report),
        "time (UTC)": f"{_clock(report['started_at'])} to {_clock(report['ended_at'])}, {report['covered_s']:.3f} s covered",
        "segments": f"{report['segments']} files, {report['bytes']} bytes, {len(report['runs'])} uninterrupted runs",
        "gaps": gaps_in_words(report["gaps"]),
        "chain": f"{report['chain']['links']} links, {'closed' if report['chain']['closed'] else 'open'}, head {report['chain']['head']}",
        "archive": archive_in_words(report["archive"]),
        "deadline": deadline_in_words(report["deadline"]),
    }
    for name, value in rows.items():
        facts.add_row(name, value)
    return [facts, *_gap_table(report["gaps"]), *_finding_table(report["findings"])]


def _gap_table(gaps: Sequence[Mapping[str, Any]]) -> list[Table]:
    table = Table(title="gaps", title_justify="left", box=None, pad_edge=False)
    for column in ("from (UTC)", "to", "seconds", "state", "reason"):
        table.add_column(column)
    for gap in gaps:
        table.add_row(
            _clock(gap["start"]), _clock(gap["end"]), f"{gap['seconds']:.3f}", gap["state"], gap["reason"] or ""
        )
    return [table] if gaps else []


def _finding_table(findings: Sequence[Mapping[str, Any]]) -> list[Table]:
    table = Table(title="findings", title_justify="left", box=None, pad_edge=False)
    for column in ("finding", "level", "expected", "found", "file", "rests on"):
        table.add_column(column, overflow="fold")
    for item in findings:
        segment = (item["segment"] or "")[:12]
        table.add_row(
            item["kind"], item["level"], item["expected"], item["found"], segment, item["evidence"].replace("_", " ")
        )
    return [table] if findings else []


def gaps_in_words(gaps: Sequence[Mapping[str, Any]]) -> str:
    """How many, how long, how many of them nobody has explained."""
    if not gaps:
        return "none"
    seconds = sum(gap["seconds"] for gap in gaps)
    unexplained = sum(gap["state"] == "unexplained" for gap in gaps)
    return f"{len(gaps)}, {seconds:.1f} s" + (f", {unexplained} unexplained" if unexplained else ", explained")


def archive_in_words(archive: Mapping[str, Any]) -> str:
    """Where the recording stands on its way into the archive."""
    if archive["state"] in _UNARCHIVED:
        return _UNARCHIVED[archive["state"]]
    return f"{archive['objects']} objects {archive['lock_mode']} until {_clock(archive['retain_until_min'])[:10]}"


def deadline_in_words(deadline: Mapping[str, Any] | None) -> str:
    """State and date; a miss with its cause."""
    if deadline is None:
        return "none yet"
    cause = f" ({deadline['cause']})" if deadline["cause"] else ""
    waits = f"; {awaited_in_words(deadline)}" if deadline["progress"] else ""
    return f"{deadline['state'].replace('_', ' ')}{cause}, {_clock(deadline['at'])[:16]}{waits}"


def awaited_in_words(deadline: Mapping[str, Any]) -> str:
    """What a deadline that is not met waits for, all of it; as far as the running state still knows."""
    fields = deadline["missing_fields"]
    waits = [_AWAITED[deadline["progress"]]] if deadline["progress"] in _AWAITED else []
    return "; ".join([*waits, *([f"case data missing: {', '.join(fields)}"] if fields else [])])


def _clock(text: str | None) -> str:
    return "unknown" if text is None else text.replace("T", " ").removesuffix("Z")


def _verdict(report: Mapping[str, Any]) -> str:
    """The verdict, with its colour; of an open recording only so far."""
    verdict = report["verdict"]
    words = verdict.replace("_", " ") + (" so far" if report["archive"]["state"] == "open" else "")
    colour = VERDICT_COLOURS.get(verdict)
    return f"[{colour}]{words}[/{colour}]" if colour else words
