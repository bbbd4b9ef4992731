"""``unbroken issue|return``: a device is handed to an officer, and comes back (article 4). In between it owes a recording."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated, Any, get_args

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.cli.annotate import instant
from pipeline.connectors.announcer import announcing
from pipeline.domain.annotation import Annotation, AnnotationKind, Issue, Return
from pipeline.domain.canonical import digest
from pipeline.domain.identity import SourceKind, source_id
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire.codec import encode

Device = Annotated[str, typer.Argument(help="The device: its source id.")]
Officer = Annotated[str, typer.Option("--officer", help="Who holds it: name or number.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
]
At = Annotated[int | None, typer.Option("--at", parser=instant, metavar="TIME", help="When; now, if not given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent and send nothing.")]


def register(app: typer.Typer) -> None:
    """Add ``issue`` and ``return``."""
    app.command("issue")(issue)
    app.command("return")(give_back)


def issue(
    device: Device,
    unit: Annotated[str, typer.Option("--unit", help="The unit it belongs to.")],
    officer: Officer,
    due_back: Annotated[int, typer.Option("--due-back", parser=instant, metavar="TIME", help="ISO 8601 with zone.")],
    by: By,
    kind: Annotated[
        str, typer.Option("--kind", help=f"What it is: {', '.join(get_args(SourceKind))}.")
    ] = "body_camera",
    at: At = None,
    dry_run: DryRun = False,
) -> None:
    """Hand a device out. A recording of it is expected then, and missed if none has arrived a day after it was due back.

    Exit codes: 0 sent; 2 wrong usage; 3 the broker does not answer.
    """
    if kind not in get_args(SourceKind):
        raise typer.BadParameter(
            f"expected one of {', '.join(get_args(SourceKind))}, found {kind!r}", param_hint="--kind"
        )
    now = SystemClock().now()
    handed = now if at is None else WallMs(at)
    if due_back <= handed:
        raise typer.BadParameter("a device is due back after it was handed out", param_hint="--due-back")
    body: Any = {"at": handed, "officer": officer, "due_back": WallMs(due_back), "source_kind": kind}
    _say("issued", device, by, now, dry_run, lambda: {"unit": unit, "issue": Issue(**body)})


def give_back(
    device: Device,
    officer: Officer,
    by: By,
    nothing: Annotated[bool, typer.Option("--nothing-recorded", help="The officer recorded nothing.")] = False,
    at: At = None,
    dry_run: DryRun = False,
) -> None:
    """Take a device back. With --nothing-recorded no recording is expected of it any more.

    Exit codes: 0 sent; 2 wrong usage; 3 the broker does not answer.
    """
    now = SystemClock().now()
    back = now if at is None else WallMs(at)
    _say(
        "returned",
        device,
        by,
        now,
        dry_run,
        lambda: {"returned": Return(at=back, officer=officer, recorded=not nothing)},
    )


def _say(kind: AnnotationKind, device: str, by: str, now: WallMs, dry_run: bool, body: Any) -> None:
    """Send the statement, or show it; what the domain refuses is wrong usage."""
    try:
        said = Annotation(
            annotation_id=f"said-{digest([kind, device, by, str(now)])[:32]}",
            kind=kind,
            source_id=source_id(device),
            made_at=now,
            made_by=by,
            **body(),
        )
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    if dry_run:
        typer.echo(encode(said).decode())
        return
    asyncio.run(_send(said))
    typer.echo(f"sent {said.kind} {said.annotation_id}")


async def _send(said: Annotation) -> None:
    async with announcing(Settings()) as announcer:
        await announcer.annotation(said)
