"""``unbroken issue|return``: a device is handed to an officer, and comes back (article 4). In between it owes a recording."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.cli.annotate import By, DryRun, Lang, raw, say, spelt
from pipeline.domain.canonical import Json
from pipeline.domain.identity import SourceKind
from pipeline.domain.time import to_rfc3339

Device = Annotated[str, typer.Argument(help="The device: its source id.")]
Officer = Annotated[str, typer.Option("--officer", help="Who holds it: name or number.")]
At = Annotated[str | None, typer.Option("--at", parser=spelt, metavar="TIME", help="When; now, if not given.")]


def register(app: typer.Typer) -> None:
    """Add ``issue`` and ``return``."""
    app.command("issue")(issue)
    app.command("return")(give_back)


def issue(
    device: Device,
    unit: Annotated[str, typer.Option("--unit", help="The unit it belongs to.")],
    officer: Officer,
    due_back: Annotated[str, typer.Option("--due-back", parser=spelt, metavar="TIME", help="ISO 8601 with zone.")],
    by: By,
    kind: Annotated[
        str, typer.Option("--kind", help=f"What it is: {', '.join(get_args(SourceKind))}.")
    ] = "body_camera",
    at: At = None,
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Hand a device out. A recording of it is expected then, and missed if none has arrived a day after it was due back.

    Exit codes: 0 sent; 2 wrong usage; 3 the broker does not answer.
    """
    handed = to_rfc3339(SystemClock().now()) if at is None else at
    body = {"at": handed, "officer": officer, "due_back": due_back, "source_kind": kind}
    say(raw("issued", device, None, by, unit=unit, issue=body), lang, dry_run=dry_run)


def give_back(
    device: Device,
    officer: Officer,
    by: By,
    nothing: Annotated[bool, typer.Option("--nothing-recorded", help="The officer recorded nothing.")] = False,
    at: At = None,
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Take a device back. With --nothing-recorded no recording is expected of it any more.

    Exit codes: 0 sent; 2 wrong usage; 3 the broker does not answer.
    """
    back = to_rfc3339(SystemClock().now()) if at is None else at
    body: dict[str, Json] = {"at": back, "officer": officer, "recorded": not nothing}
    say(raw("returned", device, None, by, returned=body), lang, dry_run=dry_run)
