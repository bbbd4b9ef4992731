"""``unbroken hours FILE``: when a site's cameras have to record (article 3), sent as it is stated."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.zones import zone_offsets
from pipeline.cli.annotate import instant
from pipeline.connectors.announcer import announcing
from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import digest, plain
from pipeline.domain.errors import Misconfigured
from pipeline.domain.schedule import DAY_MS, MINUTE_MS, Schedule, on_duty
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire.hours import Hours, read_hours

SHOWN_DAYS: Final = 14


def register(app: typer.Typer) -> None:
    """Add ``hours``."""
    app.command("hours")(hours)


def hours(
    file: Annotated[
        Path, typer.Argument(help="TOML: zone, unit, cameras, weekly hours, special days (docs/deadlines.md).")
    ],
    by: Annotated[
        str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
    ],
    valid_from: Annotated[
        int | None, typer.Option("--from", parser=instant, metavar="TIME", help="From when on; now, if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the hours of the next 14 days.")] = False,
) -> None:
    """State when cameras have to record. What was stated before counts until then.

    Exit codes: 0 stated; 2 the file is not as it must be; 3 the broker does not answer.
    """
    now = SystemClock().now()
    start = now if valid_from is None else WallMs(valid_from)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise Misconfigured(f"the hours cannot be read: {exc}") from exc
    stated = read_hours(text, start, zone_offsets)
    if dry_run:
        typer.echo(f"{', '.join(stated.cameras)} of {stated.unit}, silent after {stated.schedule.silent_after_s} s:")
        for line in calendar(stated.schedule, start):
            typer.echo(f"  {line}")
        return
    said = statements(stated, now, by)
    asyncio.run(_send(said))
    typer.echo(f"stated the hours of {len(said)} camera{'s' if len(said) > 1 else ''}: {', '.join(stated.cameras)}")


def statements(stated: Hours, now: WallMs, by: str) -> Sequence[Annotation]:
    """One statement for each camera; the same hours from the same instant on are the same statement."""
    return [
        Annotation(
            annotation_id=f"hours-{digest([camera, plain(stated.schedule)])[:32]}",
            kind="schedule",
            source_id=camera,
            made_at=now,
            made_by=by,
            unit=stated.unit,
            schedule=stated.schedule,
        )
        for camera in stated.cameras
    ]


def calendar(schedule: Schedule, start: WallMs) -> Iterator[str]:
    """The hours of the days after *start*, as the clock on the wall will show them."""
    for first, last in on_duty([schedule], start, start + SHOWN_DAYS * DAY_MS):
        opens, closes = _wall(schedule, first), _wall(schedule, last)
        yield f"{opens:%a %Y-%m-%d %H:%M} - {closes:%H:%M}"


def _wall(schedule: Schedule, at: int) -> datetime:
    offset = [entry for entry in schedule.offsets if entry.since <= at] or [schedule.offsets[0]]
    return datetime.fromtimestamp((at + offset[-1].minutes * MINUTE_MS) / 1000, UTC)


async def _send(said: Sequence[Annotation]) -> None:
    async with announcing(Settings()) as announcer:
        for one in said:
            await announcer.annotation(one)
