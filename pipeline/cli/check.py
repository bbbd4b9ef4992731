"""``unbroken check PATH...``: are these recordings whole? No server, no network, no configuration."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from io import FileIO
from pathlib import Path
from typing import Annotated, Final, cast
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.media_pool import MediaPool
from pipeline.cli import intake as words
from pipeline.cli.check_screen import report, screen
from pipeline.connectors.folder import Candidate, discover
from pipeline.connectors.journal import FileStamp
from pipeline.connectors.names import MEDIA, PROFILES, Profile, read_claims, refusal, text_of
from pipeline.domain.check import Checked, FileRead, Unread, check, exit_code
from pipeline.domain.errors import ProbeDied
from pipeline.domain.identity import Sha256, SourceKind
from pipeline.domain.policy import Policy, Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import unreadable
from pipeline.policy import load_policy

_READ_TIMEOUT_S: Final = 120
_READ_MEMORY_BYTES: Final = 1 << 30
"""Limits of the process that reads a media file: those a worker starts with."""
_PIECE_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 600
_MAX_JOBS: Final = 8
_REASONS: Final = {
    errno.ENOENT: "gone since it was found: is the card or disk still there?",
    errno.EACCES: "permission denied: give this user the right to read it",
    errno.EPERM: "permission denied: give this user the right to read it",
    errno.EIO: "the medium cannot be read here: copy what can be read, and keep the card",
}


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that are one recording. ``given``: a person named them one by one. ``kept``: said to be without media if it is."""

    name: str
    candidates: list[Candidate]
    given: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class _Reader:
    """What it takes to read a file."""

    pool: MediaPool
    tolerance: Tolerance
    profile: Profile
    zone: tzinfo
    places: asyncio.Semaphore
    on_bytes: Callable[[int], None]
    stopped: threading.Event


def register(app: typer.Typer) -> None:
    """Add the ``check`` command."""
    app.command("check")(check_)


def check_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="A folder is a recording; several files are one together.")
    ],
    each: Annotated[bool, typer.Option("--each", help="Judge every file alone.")] = False,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Every folder below PATH with media in it is a recording.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON (schemas/check-report.v1).")] = False,
    policy: Annotated[Path | None, typer.Option(help="A policy file, instead of the one shipped.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files read at the same time.")] = min(
        len(os.sched_getaffinity(0)), _MAX_JOBS
    ),
    kind: words.Kind = "body_camera",
    profile: words.ProfileName = "auto",
    zone: words.Zone = words.ZONE,
) -> None:
    """Say whether recordings are whole, where they are not, how sure that is, and what could not be tested.

    Exit codes: 0 every recording continuous; 1 some interruption; 3 only degradations; 4 only what could not be tested or
    read; 2 wrong usage.
    """
    rules = load_policy(policy)
    groups = list(_groups(paths, each=each, recursive=recursive))
    source_kind = cast(SourceKind, kind)  # the option's own check
    results, passed_over = asyncio.run(
        _check_all(groups, rules, source_kind, PROFILES[profile], ZoneInfo(zone), jobs, as_json)
    )
    if as_json:
        typer.echo(json.dumps(report(results, passed_over, rules), ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        for part in screen(results, passed_over, rules, ZoneInfo(zone), console):
            console.print(part)
    raise typer.Exit(exit_code(results))


# Which files are one recording.


def _groups(paths: Sequence[Path], *, each: bool, recursive: bool) -> Iterator[_Group]:
    loose: dict[Path, Candidate] = {}
    for path in paths:
        found = list(discover([path]))
        if not _is_folder(path):
            loose |= {candidate.path: candidate for candidate in found}
            continue
        root = path.resolve()
        mine = [one for one in found if recursive or one.path.parent == root or one.path == root]
        below = sum(_named_media(one.path) for one in found) - sum(_named_media(one.path) for one in mine)
        if below:
            typer.echo(f"{text_of(path)}: media in folders below it is not looked at ({below}); -r does", err=True)
        folders: dict[Path, list[Candidate]] = {} if recursive else {root: []}
        for one in mine:
            folders.setdefault(one.path.parent if one.path != root else root, []).append(one)
        for folder, inside in folders.items():
            name = text_of((path if path.name not in ("", "..") else Path(root.name)) / folder.relative_to(root))
            if each:
                yield from (_Group(text_of(Path(name) / one.path.name), [one]) for one in inside)
            else:
                yield _Group(name, inside, kept=not recursive)
    if each:
        yield from (_Group(one.name, [one], given=True) for one in loose.values())
    elif loose:
        names = [one.name for one in loose.values()]
        yield _Group(names[0] if len(names) == 1 else f"{len(names)} files", list(loose.values()), given=True)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _named_media(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in MEDIA


# Reading.


async def _check_all(
    groups: Sequence[_Group],
    policy: Policy,
    kind: SourceKind,
    profile: Profile,
    zone: tzinfo,
    jobs: int,
    quiet: bool,
) -> tuple[list[Checked], list[Unread]]:
    """Every recording judged, and the files passed over because they are no media."""
    pool = MediaPool(processes=jobs, timeout_s=_READ_TIMEOUT_S, memory_bytes=_READ_MEMORY_BYTES)
    results: list[Checked] = []
    passed_over: list[Unread] = []
    stopped = threading.Event()
    try:
        with _progress(groups, quiet) as on_bytes:
            reader = _Reader(pool, policy.tolerance[kind], profile, zone, asyncio.Semaphore(jobs), on_bytes, stopped)
            for group in groups:
                ends = await asyncio.gather(*(_read(reader, one, group.given) for one in group.candidates))
                files = [end for end in ends if isinstance(end, FileRead)]
                unread = [end for end in ends if isinstance(end, Unread)]
                passed_over += [
                    Unread(one.name, end)
                    for one, end in zip(group.candidates, ends, strict=True)
                    if isinstance(end, str)
                ]
                if files or unread or group.kept:
                    results.append(check(group.name, files, unread, kind, SystemClock().now(), policy))
    finally:
        stopped.set()  # threads that hash are waited for, and a day's file takes long
        pool.close()
    return results, passed_over


async def _read(reader: _Reader, candidate: Candidate, given: bool) -> FileRead | Unread | str:
    """A file read; or unread, with what to do; or why it is no media."""
    path, name = candidate.path, text_of(candidate.path.name) or candidate.name
    if candidate.stamp is None:
        reason = candidate.refused or "not found"
        return Unread(name, reason) if given or not path.suffix or _named_media(path) else reason
    async with reader.places:
        try:
            if why := await asyncio.to_thread(_refusal, path):
                return why
            if candidate.stamp.size_bytes == 0:
                return Unread(
                    name, "0 bytes: copy it again from the device; if it is empty there, nothing was recorded"
                )
            digest, facts = await asyncio.gather(
                asyncio.to_thread(_hash, path, candidate.stamp, reader), _facts(reader, path)
            )
        except OSError as exc:
            return Unread(name, _REASONS.get(exc.errno or 0) or f"cannot be read: {exc.strerror or exc}")
    if digest is None:
        return Unread(name, "changed while it was read: check again when the recorder or the copying is done")
    claims = read_claims(path, candidate.stamp.mtime_ns, reader.profile, reader.zone)
    return FileRead(
        name=name,
        sha256=digest,
        size_bytes=candidate.stamp.size_bytes,
        facts=facts,
        start=claims.start,
        sequence=claims.sequence,
        run=claims.run,
    )


def _refusal(path: Path) -> str | None:
    with _open(path) as file:
        return refusal(path, file.read(_HEAD_BYTES))


def _hash(path: Path, stamp: FileStamp, reader: _Reader) -> Sha256 | None:
    """The digest of a file; ``None`` if it is not the one that was found, or changes meanwhile, or nobody waits any more."""
    whole, left_bytes = hashlib.sha256(), stamp.size_bytes
    with _open(path) as file:
        while left_bytes >= 0 and not reader.stopped.is_set() and (piece := file.read(_PIECE_BYTES)):
            whole.update(piece)
            left_bytes -= len(piece)
            reader.on_bytes(len(piece))
        same = left_bytes == 0 and FileStamp.of(os.fstat(file.fileno())) == stamp
    return Sha256(whole.hexdigest()) if same else None


def _open(path: Path) -> FileIO:
    """Not blocking: opening a pipe that took the file's name must not wait for somebody to write into it."""
    return FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


async def _facts(reader: _Reader, path: Path) -> MediaFacts:
    try:
        return await reader.pool.facts(path, reader.tolerance)
    except ProbeDied as exc:
        return unreadable(f"the process that read it {exc}", reader="lost")


@contextmanager
def _progress(groups: Sequence[_Group], quiet: bool) -> Iterator[Callable[[int], None]]:
    """A callback for bytes that were read; a bar when a person is watching."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _size_bytes: None
        return
    stamps = [one.stamp for group in groups for one in group.candidates]
    total = sum(stamp.size_bytes for stamp in stamps if stamp)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"reading {len(stamps)} files", total=total)
        yield lambda size_bytes: bar.advance(task, size_bytes)
