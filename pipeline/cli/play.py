"""``unbroken play RECORDING``: a page that plays an archived recording in a browser, for a stated purpose."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from pipeline.cli.play_page import WORDS, page, player
from pipeline.cli.terms import language
from pipeline.domain.canonical import plain
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import Sha256, label
from pipeline.domain.landing import ObjectRef
from pipeline.domain.statement import Language
from pipeline.domain.time import to_rfc3339
from pipeline.domain.viewing import Archived, ways
from pipeline.settings import Settings

_MOST_HOURS: Final = 7 * 24
"""Addresses signed with Signature Version 4 last no longer."""
_COPY_TIMEOUT_S: Final = 900


def register(app: typer.Typer) -> None:
    """Add the ``play`` command."""
    app.command("play")(play)


def play(
    recording: Annotated[str, typer.Argument(help="The recording's id, as `unbroken recordings` shows it.")],
    purpose: Annotated[str, typer.Option(help="What the viewing is for (articles 10 and 13); kept as a record.")],
    by: Annotated[
        str, typer.Option("--by", default_factory=getpass.getuser, help="Who will look.", show_default="login name")
    ],
    hours: Annotated[int, typer.Option(min=1, max=_MOST_HOURS, help="How long the address is good.")] = 4,
    lang: Annotated[str, typer.Option("--lang", callback=language, help="The page's language: en or zh.")] = "en",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how each file would be shown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/play.v1).")] = False,
) -> None:
    """Print the address of a page that plays an archived recording, gaps shown, until the time is over.

    Whoever has the address can look, so hand it on as you would the recording. Originals are read where they lie; those a
    browser cannot play are copied into other packaging first. Exit 1 if no recording of that name is archived.
    """
    try:
        label(purpose, "purpose"), label(by, "viewer")
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    settings = Settings()
    archived = find(settings, recording)
    if archived is None:
        typer.echo(f"no recording of that name is archived ({recording})", err=True)
        raise typer.Exit(1)
    if dry_run:
        shown = ways(archived.placed)
        answer: dict[str, Any] = {"address": None, "until": None, "record": None, "shown": plain(tuple(shown.values()))}
    else:
        answer = asyncio.run(opened(settings, archived, purpose, by, hours * 3600, lang))
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for line in told(archived, answer):
        typer.echo(line)


def find(settings: Settings, recording: str) -> Archived | None:
    """The newest archived revision of *recording*, if there is one."""
    from pipeline.adapters.objects_s3 import open_store
    from pipeline.cli.catalogue import archived
    from pipeline.steps.view import archived_of

    found = archived(open_store(settings), settings, recording)
    if len(found) > 1:
        sources = ", ".join(receipt.source_id for receipt, _ in found)
        raise Misconfigured(f"recordings of several sources have this name: {sources} ({recording})")
    return archived_of(*found[0]) if found else None


async def opened(
    settings: Settings, archived: Archived, purpose: str, by: str, seconds: int, lang: str
) -> dict[str, Any]:
    """Make the copies that are needed, record the viewing, put the page; the answer of the command."""
    from pipeline.adapters.clock import SystemClock
    from pipeline.adapters.media_pool import MediaPool
    from pipeline.adapters.objects_s3 import open_store
    from pipeline.policy import load_policy
    from pipeline.steps.derive import DeriveStep
    from pipeline.steps.view import ViewStep, Wish

    store = open_store(settings)

    def put(data: bytes, name: str, media_type: str) -> str:
        digest = Sha256(hashlib.sha256(data).hexdigest())
        stat = store.put_bytes(settings.derived, f"pages/{digest}/{name}", data, digest, retain_until=None)
        ref = ObjectRef(bucket=stat.bucket, key=stat.key, version_id="", sha256=digest, size_bytes=stat.size_bytes)
        return store.signed_address(ref, seconds, media_type)

    pool = MediaPool(1, _COPY_TIMEOUT_S, settings.probe_memory_bytes)
    try:
        step = ViewStep(
            store=store,
            derive=DeriveStep(store=store, copier=pool, derived=settings.derived, folder=Path(tempfile.gettempdir())),
            sign=store.signed_address,
            clock=SystemClock(),
            policy=load_policy(settings.policy),
            records=settings.records,
            on_copy=lambda name: typer.echo(f"making a copy that browsers play: {name}", err=True),
        )
        paged = await step.view(archived, Wish(purpose, by, seconds))
    finally:
        pool.close()
    text = page(paged, put(player(), "hls.js", "text/javascript"), WORDS[cast(Language, lang)])
    return {
        "address": put(text.encode(), "index.html", "text/html; charset=utf-8"),
        "until": to_rfc3339(paged.view.until),
        "record": f"{settings.records}/{paged.record}",
        "shown": plain(paged.view.shown),
    }


def told(archived: Archived, answer: dict[str, Any]) -> list[str]:
    """The answer for people: what is not the original itself, then the address."""
    lines = []
    counts = Counter(item["way"] for item in answer["shown"])
    for item in answer["shown"]:
        name = archived.names[item["sha256"]]
        if item["way"] == "none":
            lines.append(f"not shown: {name}: {item['why']}")
        elif item["way"] == "derived":
            lines.append(f"shown as a copy: {name}: {item['why']}")
    lines.append(
        f"{counts['in_place']} files from their own bytes, {counts['derived']} as copies, {counts['none']} not"
    )
    if answer["address"] is not None:
        lines += [f"recorded as {answer['record']}", f"open until {answer['until']}:", answer["address"]]
    return lines
