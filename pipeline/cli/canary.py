"""``unbroken canary``: sends a recording of our own through the whole system, every few minutes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
import typer

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.logs import configure
from pipeline.cli.intake import open_intake, session
from pipeline.cli.watch import log_row, stop_on_signal
from pipeline.connectors.folder import Row, discover
from pipeline.domain.annotation import Metadata
from pipeline.domain.canary import CANARY, CANARY_KIND, CANARY_UNIT, beat_file, beat_id
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.time import WallMs
from pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the ``canary`` command."""
    app.command("canary")(canary)


def canary(
    once: Annotated[bool, typer.Option("--once", help="Send one and end.")] = False,
) -> None:
    """Send a tiny recording through every stage, every UNBROKEN_CANARY_S seconds; `unbroken_canary_last_seen_timestamp_seconds`
    shows how far the last ones came. It has a source and a unit of its own, "canary", and counts in no statistics.

    Exit codes: 0 sent, or told to stop; 2 wrong configuration; 3 with --once: a service does not answer.
    """
    settings = Settings()
    configure(settings.log_format)
    if once:
        asyncio.run(send(settings, SystemClock().now()))
    else:
        asyncio.run(_sing(settings))


async def _sing(settings: Settings) -> None:
    """Send until told to stop. One that cannot be sent is not sent later: that it is missing is what it is for."""
    stop, log = stop_on_signal(), structlog.get_logger().bind(source=CANARY)
    while not stop.is_set():
        try:
            await send(settings, SystemClock().now())
        except UnbrokenError as exc:
            log.warning("canary.unsent", error=str(exc))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), settings.canary_s)


async def send(settings: Settings, at: WallMs) -> list[Row]:
    """Bring in the canary that sets out at *at*, with its case's fields, by the connector any folder is brought in by."""
    folder = settings.state.absolute() / "spool" / CANARY
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{beat_id(at)}.wav"
    file.write_bytes(beat_file(at))
    wanted = session(
        settings, source=CANARY, unit=CANARY_UNIT, kind=CANARY_KIND, ends="declared", recording=beat_id(at)
    )
    fields: dict[str, Any] = {"case_name": "canary", "party_name": "canary"}
    day = datetime.fromtimestamp(at // 1000, UTC).date().isoformat()
    try:
        async with open_intake(settings, wanted, log_row) as intake:
            rows = await intake.take(list(discover([file])))
            await intake.end(rows, Metadata(recorded_date=day, **fields), "canary")
    finally:
        file.unlink(missing_ok=True)
    return rows
