"""``unbroken cases import|export``: case data as a table, for case systems and for people with a spreadsheet."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.cli.terms import language
from pipeline.connectors.announcer import announcing
from pipeline.domain.annotation import Annotation
from pipeline.domain.dictionary import BY_KEY, MATTERS_LIST, OF_ARTICLE_9
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Described, Language, described, in_words
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.wire import case_table
from pipeline.wire.case_table import MOST_BYTES, Row, Source
from pipeline.wire.reports import Reported
from pipeline.wire.statements import Told, told_report

_COLUMNS: Final = (
    "recording_id", "source_id", "device_kind", "unit_id", "covered_from", "covered_to", "verdict", "stored_date", *OF_ARTICLE_9,
    "case_no", *MATTERS_LIST, "continuity_class", "badge_no", "retention_class", "secrecy",
)  # fmt: skip
Lang = Annotated[str, typer.Option("--lang", callback=language, help="Language of headings and messages: en or zh.")]


def register(app: typer.Typer) -> None:
    """Add the ``cases`` group."""
    group = typer.Typer(help="Case data as a table (CSV): bring it in, give it out.", no_args_is_help=True)
    group.command("import")(import_)
    group.command("export")(export)
    app.add_typer(group, name="cases")


def import_(
    table: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV; docs/explain.md has its columns.")],
    by: Annotated[
        str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
    ],
    partial: Annotated[bool, typer.Option("--partial", help="Send the right rows although others are wrong.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is wrong and what is new.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON (schemas/statements-told.v1).")] = False,
    lang: Lang = "en",
) -> None:
    """Say what the rows say that does not stand already. Nothing is sent unless all rows are right. Exit 1 if any is not."""
    from pipeline.cli.catalogue import statements_about

    settings = Settings()
    with table.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    standing = statements_about(settings, case_table.recordings_of(data))
    rows = case_table.read(
        data,
        {name: described(said) for name, said in standing.items()},
        Source(by, SystemClock().now()),
        load_policy(settings.policy),
    )
    wrong = sum(row.refused for row in rows)
    fresh = [row.annotation for row in rows if row.annotation is not None]
    sends = bool(fresh) and not dry_run and (partial or not wrong)
    if sends:
        asyncio.run(_send(settings, fresh))
    report = told_report(
        [Told(f"line {row.line}", row.annotation, row.said) for row in rows],
        cast(Language, lang),
        sent=len(fresh) if sends else 0,
    )
    if as_json:
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        for line in in_lines(rows, cast(Language, lang)):
            typer.echo(line, err=True)
        typer.echo(_summary(len(rows), len(fresh), wrong, sends=sends, dry_run=dry_run))
    if wrong:
        raise typer.Exit(1)


def in_lines(rows: Iterable[Row], lang: Language) -> list[str]:
    """Everything said against the rows, with their lines."""
    place = "第 {} 行，" if lang == "zh" else "line {}, "
    return [place.format(row.line) + in_words(one, lang) for row in rows for one in row.said]


def _summary(rows: int, fresh: int, wrong: int, *, sends: bool, dry_run: bool) -> str:
    known = rows - fresh - wrong
    if sends or (dry_run and not wrong):
        return f"{'would send' if dry_run else 'sent'} {fresh}; {known} stand already; {wrong} refused"
    nothing = "nothing sent" + (f": mend {wrong} of {rows} rows, or send the others with --partial" if wrong else "")
    return f"{nothing}; {known} stand already"


async def _send(settings: Settings, said: Sequence[Annotation]) -> None:
    async with announcing(settings) as announcer:
        for one in said:
            await announcer.annotation(one)


def export(
    unit: Annotated[str | None, typer.Option(help="Only recordings of this unit.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only those whose mandatory fields are not complete.")
    ] = False,
    lang: Lang = "en",
) -> None:
    """Print a row for each recording: to be filled in and imported, or taken into a case system."""
    from pipeline.cli.catalogue import recordings, statements_about

    settings = Settings()
    known = [one for one in recordings(settings) if unit in (None, one.account.unit)]
    said = statements_about(settings, [(one.account.source_id, one.recording_id) for one in known])
    policy = load_policy(settings.policy)
    rows = [row_of(one, described(said.get(one.recording_id, ()))) for one in known]
    wanted = [row for row in rows if not missing or lacks(row, policy)]
    own = sorted({key for row in wanted for key in row} - set(_COLUMNS) - set(BY_KEY))
    for text in case_table.write(wanted, (*_COLUMNS, *own), cast(Language, lang)):
        sys.stdout.write(text)


def lacks(row: Mapping[str, str], policy: Policy) -> bool:
    """Whether a mandatory field of its unit is empty; recordings of some kinds need no case of their own."""
    return row["device_kind"] not in policy.standing_description_kinds and any(
        not row.get(name) for name in policy.mandatory_of(row["unit_id"])
    )


def row_of(known: Reported, fields: Mapping[str, Described]) -> dict[str, str]:
    """A recording's row: what was said of it, and what the system found out by itself."""
    account = known.account
    told = {name: field.text for name, field in fields.items()}
    return {
        **told,
        "recording_id": account.recording_id,
        "source_id": account.source_id,
        "device_kind": account.source_kind,
        "unit_id": account.unit,
        "covered_from": _instant(account.started_at),
        "covered_to": _instant(account.ended_at),
        "verdict": account.verdict if known.ended else "",
        "stored_date": "" if known.archived is None else _day(known.archived.archived_at),
    }


def _instant(at: WallMs | None) -> str:
    return "" if at is None else to_rfc3339(at)


def _day(at: WallMs) -> str:
    """The day where this machine stands."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().date().isoformat()
