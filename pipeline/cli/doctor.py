"""``unbroken doctor``: each prerequisite and service, whether it is in order, and what to do if not.

``unbroken doctor worm`` tries what the store's Object Lock really does, and keeps the result among the records.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.printable import printable
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.keys import fingerprint
from pipeline.domain.worm import WormReport
from pipeline.settings import Settings

_FREE_BYTES: Final = 2 << 30
"""Spool and temporary files want this much; below it the doctor says so before a disk fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """One thing looked at. ``remedy`` is empty when it is in order."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the ``doctor`` group."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(doctor)
    group.command("worm")(worm)
    app.add_typer(group, name="doctor")


def doctor(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False
) -> None:
    """Look at everything the product needs; exit 1 if something is not in order."""
    if context.invoked_subcommand:
        return
    checkups = examine(Settings())
    if as_json:
        typer.echo(json.dumps([asdict(checkup) for checkup in checkups], indent=2, ensure_ascii=False))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for checkup in checkups:
            table.add_row("ok" if checkup.ok else "[red]WRONG[/red]", checkup.name, Text(printable(checkup.found)))
            if checkup.remedy:
                table.add_row("", "", f"do: {checkup.remedy}")
        Console().print(table)
    if not all(checkup.ok for checkup in checkups):
        raise typer.Exit(1)


def worm(as_json: Annotated[bool, typer.Option("--json", help="The report as it is kept.")] = False) -> None:
    """Try what this server's Object Lock really does, on a bucket of its own; exit 1 if evidence must not go there."""
    from pipeline.adapters.worm_s3 import look_at_store
    from pipeline.domain.worm import report_document

    settings = Settings()
    report, kept = look_at_store(settings)
    if as_json:
        typer.echo(report_document(report).decode())
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for item in report.tried:
            word = "later" if item.ok is None else "ok" if item.ok else "[red]WRONG[/red]" if item.must else "differs"
            table.add_row(word, item.name, Text(printable(item.found)))
        Console().print(table)
        typer.echo(in_short(report))
        typer.echo(f"kept as {settings.records}/{kept}" if isinstance(kept, str) else f"not kept: {kept}")
    if report.wrong:
        raise typer.Exit(1)


def in_short(report: WormReport) -> str:
    """What all of it comes to, for whoever has to decide."""
    if report.wrong:
        return (
            f"NOT TRUSTED, {len(report.wrong)} WRONG: nothing is archived here until they hold "
            "(UnbrokenStoreMistrusted in the runbook)"
        )
    differs = len(report.differing)
    return "the locks hold, evidence may go here" + (f"; nothing rests on the {differs} that differ" if differs else "")


def examine(settings: Settings) -> list[Checkup]:
    """Every checkup, in the order in which to mend them."""
    return [
        _packages(),
        _policy(settings),
        _ffmpeg(),
        _space(settings),
        _topics(settings),
        _buckets(settings),
        _key(settings),
    ]


def _asked(name: str, ask: Callable[[], str], remedy: str) -> Checkup:
    """Run one question; an error of ours is an answer too."""
    try:
        return Checkup(name=name, ok=True, found=ask())
    except UnbrokenError as exc:
        return Checkup(name=name, ok=False, found=str(exc), remedy=remedy)


def _packages() -> Checkup:
    from pipeline.app import versions_differing

    differing = versions_differing()
    return Checkup(
        name="packages",
        ok=not differing,
        found="; ".join(differing) or "pinned versions are installed",
        remedy="make install" if differing else "",
    )


def _policy(settings: Settings) -> Checkup:
    from pipeline.policy import load_policy

    return _asked(
        "policy", lambda: f"version {load_policy(settings.policy).version}", "mend the file UNBROKEN_POLICY names"
    )


def _ffmpeg() -> Checkup:
    path = shutil.which("ffmpeg")
    return Checkup(
        name="ffmpeg",
        ok=path is not None,
        found=path or "not found; only `unbroken record` and the demonstration need it",
        remedy="" if path else "apt-get install ffmpeg",
    )


def _space(settings: Settings) -> Checkup:
    folder = settings.state if settings.state.exists() else settings.state.absolute().parent
    free = shutil.disk_usage(folder).free
    enough = free >= _FREE_BYTES
    return Checkup(
        name="disk",
        ok=enough,
        found=f"{free >> 20} MiB free under {folder}",
        remedy="" if enough else f"free some space or move UNBROKEN_STATE; {_FREE_BYTES >> 20} MiB are wanted",
    )


def _topics(settings: Settings) -> Checkup:
    from pipeline.adapters.kafka_topics import check_topics

    try:
        differences = asyncio.run(check_topics(settings))
    except UnbrokenError as exc:
        return Checkup(name="kafka", ok=False, found=str(exc), remedy="make up, or mend UNBROKEN_KAFKA")
    return Checkup(
        name="kafka",
        ok=not differences,
        found=" | ".join(differences) or f"{settings.kafka}: all topics as they should be",
        remedy="unbroken topics apply" if differences else "",
    )


def _buckets(settings: Settings) -> Checkup:
    from pipeline.adapters.buckets import check_buckets

    try:
        faults = check_buckets(settings)
    except UnbrokenError as exc:
        return Checkup(
            name="store",
            ok=False,
            found=f"{settings.store_url}: {exc}",
            remedy="make up, or mend UNBROKEN_STORE_URL and the keys",
        )
    return Checkup(
        name="store",
        ok=not faults,
        found=" | ".join(faults) or f"{settings.store_url}: buckets exist and lock",
        remedy="unbroken store apply" if faults else "",
    )


def _key(settings: Settings) -> Checkup:
    from pipeline.adapters.signing import KEY_FILE, open_signer

    given = settings.signing_key_file is not None or bool(settings.signing_key.get_secret_value())
    if not given and not (settings.state / KEY_FILE).exists():
        return Checkup(name="receipt key", ok=True, found=f"none yet; the ledger worker makes one in {settings.state}")

    def ask() -> str:
        signer = open_signer(settings)
        return f"key {signer.key_id}, fingerprint {fingerprint(signer.public)}"

    return _asked("receipt key", ask, "mend the key it names")
