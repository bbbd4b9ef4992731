"""``unbroken store apply|check|list|extras|tidy``: the buckets and their locks."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.adapters.buckets import apply_buckets, check_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_s3 import open_store
from pipeline.domain.time import to_rfc3339
from pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the ``store`` group."""
    group = typer.Typer(help="The object store: its buckets, their locks, what they hold.", no_args_is_help=True)
    for command in (apply, check, extras, tidy):
        group.command(command.__name__)(command)
    group.command("list")(show)
    app.add_typer(group, name="store")


def apply() -> None:
    """Make the buckets, with Object Lock and default retention where evidence goes, and give each role its rights; never
    weakens a lock."""
    done = apply_buckets(Settings())
    for line in done:
        typer.echo(line)
    if not done:
        typer.echo("all buckets exist as they should")


def check() -> None:
    """Say how the store's buckets differ from ours; exit 1 if they do."""
    differences = check_buckets(Settings())
    for line in differences:
        typer.echo(line)
    if differences:
        raise typer.Exit(1)
    typer.echo("all buckets are as they should be")


def show(prefix: Annotated[str, typer.Argument(help="Only recordings or keys that begin so.")] = "") -> None:
    """List the records of the archive with their locks, as the store reports them."""
    settings = Settings()
    store = open_store(settings)
    for found in store.list(settings.records, f"recordings/{prefix}"):
        stat = store.stat(settings.records, found.key)
        until = to_rfc3339(stat.retain_until) if stat.retain_until is not None else "-"
        typer.echo(f"{stat.size_bytes:>12}  {stat.lock_mode:<10}  {until}  {stat.key}")


def extras() -> None:
    """List originals and records that the store holds more than once; exit 1 if there are any. They are harmless."""
    settings = Settings()
    store = open_store(settings)
    found = [
        f"{len(one.versions)} versions  {bucket}/{one.key}"
        for bucket in (settings.originals, settings.records)
        for one in store.layers(bucket, "")
        if one.versions
    ]
    for line in found:
        typer.echo(line)
    if found:
        raise typer.Exit(1)
    typer.echo("every original and record is there once")


def tidy() -> None:
    """Give up multi-part uploads that nobody has finished for 48 h. Stored objects are never touched."""
    settings = Settings()
    aborted = open_store(settings).abort_stale_uploads(settings.originals, SystemClock().now())
    typer.echo(f"unfinished uploads given up: {aborted}")
