"""``unbroken record URL``: the simplest camera: a stream copied into segments, brought in as they complete."""

from __future__ import annotations

import asyncio
from typing import Annotated

import structlog
import typer

from pipeline.adapters.logs import configure
from pipeline.cli import intake as words
from pipeline.cli.intake import open_intake
from pipeline.cli.watch import log_cleared, log_row, stop_on_signal
from pipeline.connectors import camera as cameras
from pipeline.connectors.camera import Camera
from pipeline.connectors.clearing import Cleared
from pipeline.connectors.clearing import watch as clear_folder
from pipeline.connectors.folder import Session
from pipeline.connectors.watch import watch as watch_folder
from pipeline.domain.errors import UnbrokenError
from pipeline.settings import Settings

_POLL_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the ``record`` command."""
    app.command("record")(record)


def record(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="An RTSP address, or a file to be played as if it were live.")
    ],
    source: words.Source,
    unit: words.Unit,
    kind: words.Kind = "cctv",
    segment_s: Annotated[
        int, typer.Option(min=1, help="How long a segment is, at least: it ends at a key frame.")
    ] = 10,
    recording: Annotated[str | None, typer.Option(help="The recording all of it belongs to.")] = None,
    clear: words.Clear = False,
    key: words.ReceiptKey = None,
) -> None:
    """Record until told to stop (SIGTERM, Ctrl-C); a recorder that dies is started again.

    Segments lie in the state folder's `spool`; with --clear only until they are archived.
    """
    settings = Settings()
    configure(settings.log_format)
    wanted = words.session(
        settings,
        source=source,
        unit=unit,
        kind=kind,
        ends="next_block" if kind == "cctv" else "idle",
        profile="runs",
        recording=recording,
        patience_s=None,
    )
    folder = settings.state.absolute() / "spool" / wanted.source_id
    camera = Camera(url=url, segment_s=segment_s, spool=folder / "writing", ready=folder / "ready")
    keys = words.receipt_keys(settings, key or []) if clear else None
    asyncio.run(_record(settings, wanted, camera, keys))


async def _record(settings: Settings, wanted: Session, camera: Camera, keys: dict[str, bytes] | None) -> None:
    stop, recorded = stop_on_signal(), asyncio.Event()

    def cleared(one: Cleared | UnbrokenError) -> None:
        log_cleared(one)
        if isinstance(one, Cleared) and not one.kept:
            cameras.forget_run(camera, one.path)

    async with open_intake(settings, wanted, log_row) as intake:
        recorder = asyncio.create_task(cameras.record(camera, stop))
        recorder.add_done_callback(lambda _task: recorded.set())
        # What lies in `ready` is complete, so nothing needs to settle there; what is there at the end still comes in.
        tasks = [watch_folder(intake, camera.ready, 0, _POLL_S, recorded)]
        if keys is None:
            structlog.get_logger().warning(
                "spool.kept", why="without --clear nothing is removed", path=str(camera.ready)
            )
        else:
            tasks.append(clear_folder(words.clearing(settings, intake, keys), camera.ready, recorded, cleared))
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()
            await recorder
