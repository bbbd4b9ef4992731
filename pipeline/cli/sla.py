"""``unbroken sla report``: what became of the recordings of some days, from the records; signed, as JSON, CSV or a page."""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import Annotated, Final, cast

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.cli.terms import language
from pipeline.domain.sla import SlaReport
from pipeline.domain.statement import Language
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.policy import load_policy
from pipeline.settings import Settings

_CSV: Final = (
    "recording_id", "source_id", "source_kind", "unit", "due_at", "outcome", "cause", "missing_fields", "late_at",
    "archived_at", "verdict", "covered_ms", "gaps_explained", "gaps_unexplained", "ask",
)  # fmt: skip


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"expected a day like 2026-11-24, found {text!r}") from exc


def register(app: typer.Typer) -> None:
    """Add the ``sla`` group."""
    group = typer.Typer(help="What became of the recordings: deadlines, gaps, cameras.", no_args_is_help=True)
    group.callback()(lambda: None)  # a group of one command stays a group
    group.command("report")(report)
    app.add_typer(group, name="sla")


def report(
    first: Annotated[
        date | None,
        typer.Option(
            "--from", parser=_day, metavar="DAY", help="First day, YYYY-MM-DD. [default: the day before the last]"
        ),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=_day, metavar="DAY", help="Last day; that one is counted. [default: today]"),
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Only recordings of this unit.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The signed document (schemas/sla-report.v1).")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line for each recording.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="A page to read and to print.")] = False,
    lang: Annotated[str, typer.Option("--lang", callback=language, help="The page's language: en or zh.")] = "en",
) -> None:
    """Report the recordings whose 24 hours began on these days (articles 8 and 9); without any, yesterday and today:
    what is missed now began then. Exit 1 if any deadline was missed."""
    if as_json + as_csv + as_html > 1:
        raise typer.BadParameter("choose one of --json, --csv and --html")
    from pipeline.adapters.objects_s3 import S3Objects, open_client
    from pipeline.reporting import sla_step, zone_of
    from pipeline.steps.sla import day_of

    settings = Settings()
    first, last = days(first, last, datetime.fromtimestamp(SystemClock().now() / 1000, zone_of(settings)).date())
    step = sla_step(
        settings, S3Objects(open_client(settings)), load_policy(settings.policy), f"unbroken {version('unbroken')}"
    )
    period = day_of(first, step.zone)[0], day_of(last, step.zone)[1]
    made = step.report(step.facts(period, unit), period, unit)
    if as_json:
        typer.echo(step.sign(made).decode())
    elif as_csv:
        write_csv(made)
    elif as_html:
        from pipeline.cli.sla_page import page

        typer.echo(page(made, step.signer.key_id, step.zone, cast(Language, lang)), nl=False)
    else:
        for line in in_words(made):
            typer.echo(line)
    if made.totals.missed:
        raise typer.Exit(1)


def days(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """The days asked for; what was not said is the day before the last one, and today."""
    last = last or today
    first = first or last - timedelta(days=1)
    if last < first:
        raise typer.BadParameter(f"expected a day from {first} on, found {last}", param_hint="--to")
    return first, last


def write_csv(made: SlaReport) -> None:
    """One line for each recording on stdout."""
    table = csv.DictWriter(sys.stdout, _CSV)
    table.writeheader()
    for item in made.recordings:
        gaps = [gap.explained for gap in made.gaps if gap.recording_id == item.recording_id]
        fields = {name: getattr(item, name, None) for name in _CSV}
        shown = {name: to_rfc3339(value) if isinstance(value, WallMs) else value for name, value in fields.items()}
        shown |= {"missing_fields": " ".join(item.missing_fields), "ask": "; ".join(item.ask)}
        table.writerow({**shown, "gaps_explained": sum(gaps), "gaps_unexplained": len(gaps) - sum(gaps)})


def in_words(made: SlaReport) -> list[str]:
    """The report for a terminal: the counts, then what somebody has to ask about."""
    total = made.totals
    lines = [
        f"{to_rfc3339(made.start)} to {to_rfc3339(made.end)}, {made.unit or 'all units'}",
        f"recordings {total.recordings}: {total.met} in time, {total.missed} missed "
        f"({total.late} of these made up for), {total.open} undecided",
        f"gaps: {total.gaps_unexplained} unexplained, {total.gaps_explained} explained, {total.gaps_to_review} to review",
    ]
    for item in made.recordings:
        if item.outcome == "missed":
            fields = f" ({', '.join(item.missing_fields)})" if item.missing_fields else ""
            lines.append(f"missed {item.recording_id}: {item.cause or 'unknown'}{fields}; ask {', '.join(item.ask)}")
    for camera in made.cameras:
        share = camera.available_millionths
        told = "owed nothing" if share is None else f"{share / 10_000:.2f} % of {camera.owed_ms / 3_600_000:.2f} h"
        lines.append(f"camera {camera.source_id}: {told}")
    lines += [] if made.complete else ["not all deadlines of these days are decided yet"]
    return lines + [f"NOT KNOWN: {gone}" for gone in made.not_known]
