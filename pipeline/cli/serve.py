"""``unbroken serve``: take statements over HTTP, for case systems."""

from __future__ import annotations

import asyncio
import signal

import typer
from aiohttp import web

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_statements import following
from pipeline.connectors.announcer import announcing
from pipeline.connectors.desk import LEAST_TOKEN_CHARS, desk
from pipeline.domain.errors import Misconfigured
from pipeline.policy import load_policy
from pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the ``serve`` command."""
    app.command("serve")(serve)


def serve() -> None:
    """Take case data and explanations over HTTP (POST /v1/statements) until told to stop."""
    settings = Settings()
    token = settings.statements_token.get_secret_value()
    if len(token) < LEAST_TOKEN_CHARS:
        raise Misconfigured(
            f"set UNBROKEN_STATEMENTS_TOKEN to a secret of {LEAST_TOKEN_CHARS} characters or more, found {len(token)}"
        )
    asyncio.run(_serve(settings, token))


async def _serve(settings: Settings, token: str) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with announcing(settings) as announcer, following(settings) as said:
        await said.first(())  # so that the first caller does not wait while everything is read
        taking = desk(announcer, said, load_policy(settings.policy), SystemClock(), token)
        runner = web.AppRunner(taking, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.statements_host, settings.statements_port).start()
        except OSError as exc:
            await runner.cleanup()
            raise Misconfigured(
                f"this address cannot be used, mend UNBROKEN_STATEMENTS_HOST or UNBROKEN_STATEMENTS_PORT: {exc} "
                f"({settings.statements_host}:{settings.statements_port})"
            ) from exc
        typer.echo(f"takes statements on http://{settings.statements_host}:{settings.statements_port}/v1/statements")
        await stop.wait()
        await runner.cleanup()
