"""``unbroken check PATH...``: are these recordings whole? No server, no network, no configuration."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import tzinfo
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, cast
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.media_pool import MediaPool
from pipeline.cli import check_page
from pipeline.cli import intake as words
from pipeline.cli.check_chinese import CHINESE
from pipeline.cli.check_english import ENGLISH
from pipeline.cli.check_groups import Group, groups
from pipeline.cli.check_read import Reader
from pipeline.cli.check_screen import report, screen
from pipeline.cli.check_words import Words
from pipeline.cli.terms import language
from pipeline.connectors.names import PROFILES, Profile, text_of
from pipeline.domain.check import Checked, FileRead, check, exit_code
from pipeline.domain.grounds import Unread
from pipeline.domain.identity import SourceKind
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Language
from pipeline.policy import load_policy

_READ_TIMEOUT_S: Final = 120
_READ_MEMORY_BYTES: Final = 1 << 30
"""Limits of the process that reads a media file: those a worker starts with."""
_MAX_JOBS: Final = 8
WORDS: Final[Mapping[Language, Words]] = {"en": ENGLISH, "zh": CHINESE}


def register(app: typer.Typer) -> None:
    """Add the ``check`` command."""
    app.command("check")(check_)


def check_(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="A folder is a recording; several files are one together; a list (.m3u8) is what it names.",
        ),
    ],
    each: Annotated[bool, typer.Option("--each", help="Judge every file alone.")] = False,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Every folder below PATH with media in it is a recording.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON (schemas/check-report.v1).")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write a page for people: one HTML file.")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", callback=language, help="The page's language: en or zh.")] = "en",
    policy: Annotated[Path | None, typer.Option(help="A policy file, instead of the one shipped.")] = None,
    tolerance: Annotated[
        int | None,
        typer.Option(
            min=1, max=86_400_000, metavar="MS", help="The longest hole not to report, instead of the policy's."
        ),
    ] = None,
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
    source_kind = cast(SourceKind, kind)  # the option's own check
    rules = load_policy(policy)
    if tolerance is not None:
        rules = rules.tolerating(source_kind, tolerance)
    found = list(groups(paths, each=each, recursive=recursive, zone=ZoneInfo(zone)))
    lying_there = {path for group in found for path in group.paths}
    if page is not None and (why := check_page.refused(page, lying_there)):
        raise typer.BadParameter(why, param_hint="--report")
    results, passed_over = asyncio.run(
        _check_all(found, rules, source_kind, PROFILES[profile], ZoneInfo(zone), jobs, as_json)
    )
    if page is not None:
        made = check_page.Made(
            at=SystemClock().now(),
            command=shlex.join(["unbroken", *map(text_of, sys.argv[1:])]),
            software=version("unbroken"),
            zone=ZoneInfo(zone),
        )
        _write(page, check_page.page(results, passed_over, rules, WORDS[cast(Language, lang)], made))
    try:
        if as_json:
            typer.echo(json.dumps(report(results, passed_over, rules), ensure_ascii=False, indent=1))
        else:
            console = _Console(highlight=False, soft_wrap=not sys.stdout.isatty())
            for part in screen(results, passed_over, rules, ZoneInfo(zone), console):
                console.print(part)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has seen enough; the verdict is what it is
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(exit_code(results))


class _Console(Console):
    """One that leaves it to us what becomes of a reader that left; rich would end with exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _write(path: Path, pieces: Iterator[str]) -> None:
    try:
        check_page.write(path, pieces)
    except OSError as exc:
        typer.echo(f"the page {text_of(path)} could not be written: {exc.strerror or exc}", err=True)
        raise typer.Exit(2) from exc
    typer.echo(f"page: {text_of(path)}", err=True)


# Reading.


async def _check_all(
    groups: Sequence[Group],
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
    try:
        with _progress(groups, quiet) as on_bytes:
            reader = Reader(pool, policy.tolerance[kind], profile, zone, asyncio.Semaphore(jobs), on_bytes)
            for group in groups:
                ends = await asyncio.gather(
                    *(reader.read(one, group.given, group.inits.get(one.path)) for one in group.candidates)
                )
                named = list(zip(group.candidates, ends, strict=True))
                files = {
                    one.path: replace(end, opaque=group.opaque.get(one.path))
                    for one, end in named
                    if isinstance(end, FileRead)
                }
                unread = [*group.unread, *(end for end in ends if isinstance(end, Unread))]
                passed_over += [
                    *group.passed_over,
                    *(Unread(one.name, end) for one, end in named if isinstance(end, str)),
                ]
                if files or unread or group.kept:
                    now, listings = SystemClock().now(), group.listings(files)
                    results.append(check(group.name, list(files.values()), unread, kind, now, policy, listings))
    finally:
        pool.close()
    return results, passed_over


@contextmanager
def _progress(groups: Sequence[Group], quiet: bool) -> Iterator[Callable[[int], None]]:
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
