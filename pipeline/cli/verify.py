"""``unbroken verify [s3|s3://BUCKET/...|DIR]``: the archive, or a copy of it, read back and checked; no broker and no worker
is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.annotate import instant
from pipeline.cli.verify_resume import ResumeFile
from pipeline.cli.verify_screen import Watched, closing, in_fields, report, watched
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import recording_id, source_id
from pipeline.domain.selection import Part, Selection, part
from pipeline.domain.time import WallMs
from pipeline.domain.verify import Item
from pipeline.settings import Settings
from pipeline.steps.derive import Proof
from pipeline.steps.verify import Verification

_S3 = "s3"


def register(app: typer.Typer) -> None:
    """Add the ``verify`` command."""
    app.command("verify")(verify)


def _part(text: str) -> Part:
    try:
        return part(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def verify(
    where: Annotated[
        str,
        typer.Argument(
            metavar="[s3|s3://BUCKET/recordings/SOURCE/RECORDING|DIR]",
            help="The store of the settings, or what lies under these names in it; else a folder with the copied buckets.",
        ),
    ] = _S3,
    source: Annotated[str | None, typer.Option(help="Only this source's recordings.")] = None,
    recording: Annotated[str | None, typer.Option(help="Only this recording.")] = None,
    since: Annotated[
        int | None,
        typer.Option(parser=instant, metavar="TIME", help="Only what was archived then or later, ISO 8601 with zone."),
    ] = None,
    subset: Annotated[
        Part | None,
        typer.Option(parser=_part, metavar="N/T", help="Only part N of T; the parts together are everything."),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Also make every document anew from its chain, and prove kept copies of originals."
        ),
    ] = False,
    mb_per_s: Annotated[float | None, typer.Option(min=0.001, help="Read no faster (10^6 bytes).")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Note here what was verified, and go on from there after an interruption.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public receipt key, PEM; again for each key there was. Default: those in the state folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/verify-report.v1).")] = False,
) -> None:
    """Recompute every digest, link, total and signature, and say PASS, FAIL or NOT COVERED of each item.

    Exit codes: 0 nothing differs; 1 something does, or nothing of that name is archived; 2 wrong usage; 3 the store does
    not answer. What is NOT COVERED does not change the code.
    """
    settings = Settings()
    named, selection = narrowed(where, Selection(source=source, recording=recording, part=subset))
    selection = replace(selection, since=None if since is None else WallMs(since))
    reader = verification(named, settings, key or [])
    proving = _proof(reader, settings) if deep else nullcontext()
    reader = replace(reader, rebuilt_by=f"unbroken {version('unbroken')}" if deep else None)
    finished = None if resume is None else ResumeFile(resume, _run(where, selection, reader))
    if finished:
        typer.echo(f"going on after {len(finished)} recordings ({resume})", err=True)
    items: list[Item] = []
    through = False
    try:
        with watched() as watch, proving as proof:
            for item in _paced(replace(reader, proof=proof), watch, mb_per_s, finished).items(selection):
                items.append(item)
                if not as_json:
                    watch.show(item)
        through = True
    finally:
        if finished is not None:
            finished.close(finished=through)
    if not items:
        typer.echo(f"no recording of that name is archived ({where})", err=True)
        raise typer.Exit(1)
    if as_json:
        answer = report(where, selection, items, deep=deep, resumed=len(finished or ()))
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        typer.echo(closing(items))
    if any(item.result == "fail" for item in items):
        raise typer.Exit(1)


def narrowed(where: str, selection: Selection) -> tuple[str, Selection]:
    """*where* without the names that stand behind its bucket, and *selection* with them; raises ``Misconfigured``."""
    if not where.startswith("s3://"):
        return where, selection
    bucket, *names = where.removeprefix("s3://").rstrip("/").split("/")
    if names[:1] not in ([], ["recordings"]) or len(names) > 3:
        raise Misconfigured(f"expected s3://BUCKET or s3://BUCKET/recordings/SOURCE/RECORDING, found {where}")
    try:
        source = source_id(names[1]) if len(names) > 1 else selection.source
        recording = recording_id(names[2]) if len(names) > 2 else selection.recording
    except ValueError as exc:
        raise Misconfigured(f"{exc} ({where})") from exc
    for asked, found in ((selection.source, source), (selection.recording, recording)):
        if asked not in (None, found):
            raise Misconfigured(f"expected one name, found {asked} and {found} ({where})")
    return f"s3://{bucket}" if bucket else _S3, replace(selection, source=source, recording=recording)


def _run(where: str, selection: Selection, reader: Verification) -> Mapping[str, Any]:
    """What makes two runs the same one."""
    told = {"where": where, "keys": sorted(reader.keys), "rebuilt_by": reader.rebuilt_by}
    return {**told, **in_fields(selection)}


def _paced(reader: Verification, watch: Watched, mb_per_s: float | None, finished: ResumeFile | None) -> Verification:
    from pipeline.adapters.pace import Pace

    pace: Callable[[int], None] = Pace(mb_per_s * 1e6) if mb_per_s else lambda _size_bytes: None

    def on_read(size_bytes: int) -> None:
        watch.on_read(size_bytes)
        pace(size_bytes)

    return replace(reader, on_read=on_read, on_recording=watch.on_recording, finished=finished)


def verification(where: str, settings: Settings, key_files: Sequence[Path]) -> Verification:
    """The reader of *where*; raises ``Misconfigured`` for a folder or key that cannot be used."""
    from pipeline.adapters.objects_folder import FolderObjects
    from pipeline.adapters.signing import known_keys
    from pipeline.adapters.signing import verify as signed

    keys = known_keys(key_files, settings.state)
    if where == _S3 or where.startswith("s3://"):
        from pipeline.adapters.objects_s3 import open_store

        records = settings.records if where == _S3 else where.removeprefix("s3://")
        store = open_store(settings)
        originals = _beside(records)
        return Verification(store=store, records=records, originals=originals, locks=True, keys=keys, signed=signed)
    copy = FolderObjects(Path(where))
    records = copy.records()
    return Verification(store=copy, records=records, originals=_beside(records), locks=False, keys=keys, signed=signed)


def _beside(records: str, bucket: str = "originals") -> str:
    """The *bucket* that goes with a bucket of *records*."""
    return records.removesuffix("records") + bucket


@contextmanager
def _proof(reader: Verification, settings: Settings) -> Iterator[Proof]:
    """What proves kept copies: media files are read in a process of their own."""
    from pipeline.adapters.media_pool import MediaPool

    pool = MediaPool(1, settings.probe_timeout_s, settings.probe_memory_bytes)
    try:
        yield Proof(
            store=reader.store,
            derived=_beside(reader.records, "derived"),
            payloads=lambda path: asyncio.run(pool.payloads(path)),
        )
    finally:
        pool.close()
