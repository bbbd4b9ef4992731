"""``unbroken import PATH...``: bring files in, once: what lies on a card, a dock or in a folder."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.logs import configure
from pipeline.cli import intake as words
from pipeline.cli.intake import open_intake
from pipeline.connectors.clearing import Cleared, arrived
from pipeline.connectors.folder import Candidate, Row, Session, discover, unsettled_s
from pipeline.connectors.names import text_of
from pipeline.domain.annotation import Metadata
from pipeline.domain.identity import RecordingId
from pipeline.settings import Settings

_SHOWN_REFUSALS: Final = 50


@dataclass
class _Outcome:
    """What came of it."""

    rows: list[Row] = field(default_factory=list)
    ended: tuple[RecordingId, ...] = ()
    cleared: list[Cleared] | None = None
    sent_bytes: int = 0
    seconds: float = 0.0
    connector: str = ""


def register(app: typer.Typer) -> None:
    """Add the ``import`` command."""
    app.command("import")(import_)


def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files and folders; folders with all in them.")
    ],
    source: words.Source,
    unit: words.Unit,
    kind: words.Kind,
    recording: Annotated[
        str | None,
        typer.Option(help="The recording all of it belongs to. Else: a camera's block, or the folder's name."),
    ] = None,
    profile: words.ProfileName = "auto",
    zone: words.Zone = words.ZONE,
    settle_s: Annotated[float, typer.Option(min=0, help="A file changed this lately may still be written.")] = 2.0,
    case_name: Annotated[str | None, typer.Option(help="The case's name (article 9).")] = None,
    party: Annotated[str | None, typer.Option(help="The other party's name (article 9).")] = None,
    recorded_date: Annotated[str | None, typer.Option(help="The day it was recorded, YYYY-MM-DD (article 9).")] = None,
    clear: words.Clear = False,
    key: words.ReceiptKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")] = False,
) -> None:
    """Bring files in: locked originals, announced in order. Run again, it goes on where it stopped and repeats nothing.

    With --clear, run again when the recording is archived: files that its receipt vouches for are removed then.

    Exit codes: 0 all in; 1 some refused; 2 wrong usage; 3 a service did not answer.
    """
    settings = Settings()
    configure(settings.log_format)
    wanted = words.session(
        settings, source=source, unit=unit, kind=kind, ends="declared", profile=profile, zone=zone, recording=recording
    )
    told = Metadata(case_name=case_name, party_name=party, recorded_date=recorded_date)
    keys = words.receipt_keys(settings, key or []) if clear else None
    said = None if told == Metadata() else told
    outcome = asyncio.run(_import(settings, wanted, paths, settle_s, said, keys, as_json))
    if as_json:
        typer.echo(json.dumps(_as_json(wanted, outcome), ensure_ascii=False, indent=1))
    else:
        _show(wanted, outcome, told)
    if any(row.outcome == "refused" for row in outcome.rows):
        raise typer.Exit(1)


async def _import(
    settings: Settings,
    wanted: Session,
    paths: Sequence[Path],
    settle_s: float,
    told: Metadata | None,
    keys: dict[str, bytes] | None,
    quiet: bool,
) -> _Outcome:
    began = time.monotonic()
    candidates = list(discover(paths))
    now = SystemClock().now()
    await asyncio.sleep(max((unsettled_s(candidate, now, settle_s) for candidate in candidates), default=0))
    outcome = _Outcome()
    with _progress(candidates, quiet) as (on_row, on_sent):

        def sent(size_bytes: int) -> None:
            outcome.sent_bytes += size_bytes
            on_sent(size_bytes)

        async with open_intake(settings, wanted, on_row, sent) as intake:
            outcome.connector = intake.journal.connector
            outcome.rows = await intake.take(candidates)
            outcome.ended = await intake.end(outcome.rows, told, _login())
            if keys is not None:
                clearing = words.clearing(settings, intake, keys)
                outcome.cleared = await asyncio.to_thread(clearing.clear, list(arrived(outcome.rows)))
    outcome.seconds = time.monotonic() - began
    return outcome


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "unknown"


@contextmanager
def _progress(candidates: Sequence[Candidate], quiet: bool) -> Iterator[Any]:
    """Two callbacks, for a file that ended and for bytes that arrived; a bar when a person is watching."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (lambda _row: None), (lambda _size_bytes: None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    total = sum(candidate.stamp.size_bytes for candidate in candidates if candidate.stamp)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"0 of {len(candidates)} files", total=total)
        counted: Counter[str] = Counter()

        def on_sent(size_bytes: int) -> None:
            counted["sent"] += size_bytes
            bar.update(task, completed=max(counted["sent"], counted["ended"]))

        def on_row(row: Row) -> None:
            counted["files"] += 1
            counted["ended"] += row.size_bytes
            done = max(counted["sent"], counted["ended"])
            bar.update(task, completed=done, description=f"{counted['files']} of {len(candidates)} files")

        yield on_row, on_sent


def _as_json(wanted: Session, outcome: _Outcome) -> dict[str, Any]:
    """``files``: what was looked at. ``announced``: new to the pipeline, ``duplicates`` of them with bytes already known.
    ``known``: announced by an earlier run. ``sent_bytes``: what went over the wire. ``cleared``: removed on the word of a
    receipt, ``null`` if that was not asked for; ``kept``: why the others are still there."""
    rows = outcome.rows
    taken = [row for row in rows if row.outcome != "refused"]
    return {
        "connector": outcome.connector,
        "source_id": wanted.source_id,
        "files": len(rows),
        "bytes": sum(row.size_bytes for row in taken),
        "announced": sum(row.outcome == "announced" for row in rows),
        "duplicates": sum(row.duplicate for row in rows),
        "known": sum(row.outcome == "known" for row in rows),
        "sent_bytes": outcome.sent_bytes,
        "recordings": [
            {
                "recording_id": recording,
                "files": sum(row.recording_id == recording for row in taken),
                "ended": recording in outcome.ended,
            }
            for recording in dict.fromkeys(row.recording_id for row in taken)
        ],
        "refused": [{"path": _text(row.path), "reason": row.reason} for row in rows if row.outcome == "refused"],
        "cleared": None if outcome.cleared is None else [_text(one.path) for one in outcome.cleared if not one.kept],
        "kept": [{"path": _text(one.path), "reason": one.kept} for one in outcome.cleared or () if one.kept],
        "seconds": round(outcome.seconds, 3),
    }


def _show(wanted: Session, outcome: _Outcome, told: Metadata) -> None:
    """The closing table, what was refused with its reason, and what is left to do."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    said = _as_json(wanted, outcome)
    table = Table("recording", "files", "state", title=f"{wanted.source_id}", title_justify="left")
    for recording in said["recordings"]:
        state = "ended" if recording["ended"] else "open: a file of it is not in yet"
        table.add_row(escape(recording["recording_id"]), str(recording["files"]), state)
    if said["recordings"]:
        console.print(table)
    same = f" ({said['duplicates']} with bytes that were in already)" if said["duplicates"] else ""
    console.print(
        f"files: {said['files']}, {said['announced']} taken in{same}, {said['known']} were in from before, "
        f"{len(said['refused'])} refused; {said['bytes']:,} bytes, {said['sent_bytes']:,} sent in {said['seconds']:.1f} s"
    )
    if said["cleared"] is not None:
        console.print(f"{len(said['cleared'])} files cleared, {len(said['kept'])} kept")
    for reason, count in Counter(one["reason"] for one in said["kept"]).most_common(_SHOWN_REFUSALS):
        console.print(f"kept {count}: {escape(reason)}")
    for refused in said["refused"][:_SHOWN_REFUSALS]:
        console.print(f"[red]refused[/] {escape(refused['path'])}: {escape(refused['reason'])}")
    if len(said["refused"]) > _SHOWN_REFUSALS:
        console.print(f"and {len(said['refused']) - _SHOWN_REFUSALS} more; --json lists all")
    for line in left_to_do(said, wanted, told):
        console.print(escape(line))


def left_to_do(said: Mapping[str, Any], wanted: Session, told: Metadata) -> list[str]:
    """What whoever stands at the dock does next."""
    names = [recording["recording_id"] for recording in said["recordings"]]
    lines = []
    if said["refused"]:
        lines.append(
            "refused files lie where they were and are in no archive: mend what is a recording and run this again, nothing is sent twice"
        )
    if not names:
        return lines
    one = names[0] if len(names) == 1 else ""
    lines.append(
        f"whole or not, and archived, shows in a minute: `{f'unbroken recordings {one}'.strip()}`; delete nothing before"
    )
    if wanted.kind != "cctv" and None in (told.case_name, told.party_name, told.recorded_date):
        name = one or "RECORDING"
        lines.append(
            f"case data are due within 24 hours (article 9): `unbroken describe {name} --source {wanted.source_id}`"
        )
    return lines


def _text(path: Path) -> str:
    """A path on one line, whatever its name holds."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text_of(path))
