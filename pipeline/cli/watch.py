"""``unbroken watch DIR``: the import that goes on: a folder continuous recorders write into."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer

from pipeline.adapters.logs import configure
from pipeline.cli import intake as words
from pipeline.cli.intake import open_intake
from pipeline.connectors.clearing import Cleared
from pipeline.connectors.clearing import watch as clear_folder
from pipeline.connectors.folder import Row, Session
from pipeline.connectors.watch import watch as watch_folder
from pipeline.domain.errors import UnbrokenError
from pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the ``watch`` command."""
    app.command("watch")(watch)


def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; all in it is looked at.")],
    source: words.Source,
    unit: words.Unit,
    kind: words.Kind,
    recording: Annotated[str | None, typer.Option(help="The recording all of it belongs to.")] = None,
    profile: words.ProfileName = "auto",
    zone: words.Zone = words.ZONE,
    settle_s: Annotated[float, typer.Option(min=0, help="A file is taken when unchanged for so long.")] = 10.0,
    poll_s: Annotated[float, typer.Option(min=0.05, help="How often the folder is searched.")] = 2.0,
    clear: words.Clear = False,
    key: words.ReceiptKey = None,
) -> None:
    """Bring in what is written into DIR until told to stop (SIGTERM, Ctrl-C): what was begun is finished first."""
    settings = Settings()
    configure(settings.log_format)
    wanted = words.session(
        settings,
        source=source,
        unit=unit,
        kind=kind,
        ends="next_block" if kind == "cctv" else "idle",
        profile=profile,
        zone=zone,
        recording=recording,
        patience_s=None,
    )
    keys = words.receipt_keys(settings, key or []) if clear else None
    asyncio.run(_watch(settings, wanted, folder, settle_s, poll_s, keys))


async def _watch(
    settings: Settings, wanted: Session, folder: Path, settle_s: float, poll_s: float, keys: dict[str, bytes] | None
) -> None:
    async with open_intake(settings, wanted, log_row) as intake:
        structlog.get_logger().info("watch.started", folder=str(folder), source_id=wanted.source_id)
        stop = stop_on_signal()
        tasks = [watch_folder(intake, folder, settle_s, poll_s, stop)]
        if keys is not None:
            tasks.append(clear_folder(words.clearing(settings, intake, keys), folder, stop, log_cleared))
        await asyncio.gather(*tasks)
    structlog.get_logger().info("watch.stopped", source_id=wanted.source_id)


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    return stop


def log_cleared(cleared: Cleared | UnbrokenError) -> None:
    """One log line for each file that was removed, and for a service that was away; what is kept is looked at again."""
    if isinstance(cleared, UnbrokenError):
        structlog.get_logger().warning("clearing.waiting", error=str(cleared))
    elif not cleared.kept:
        structlog.get_logger().info("file.cleared", path=str(cleared.path), recording_id=cleared.recording_id)


def log_row(row: Row) -> None:
    """One log line for each file, as it ends."""
    log = structlog.get_logger().bind(path=row.name, recording_id=row.recording_id)
    if row.outcome == "refused":
        log.warning("file.refused", reason=row.reason)
    elif row.outcome == "announced":
        log.info("file.announced", size_bytes=row.size_bytes, sha256=row.sha256, duplicate=row.duplicate)
