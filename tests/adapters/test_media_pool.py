"""The media pool: whatever a file does to the process that reads it, it costs that file alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pipeline.adapters.media_pool import MediaPool
from pipeline.domain.errors import ProbeDied
from pipeline.domain.facts import unreadable
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)


_spoiled: list[str] = []


def obey(path: str, tolerance: Tolerance, init: str | None) -> MediaFacts:
    """A reader whose fate is the file's name."""
    order = Path(path).name
    if order == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGALRM])
        time.sleep(600)
    if order == "devour":
        return unreadable(str(len(bytearray(8 << 30))))
    if order == "exit":
        os._exit(3)
    if order == "spoil":
        _spoiled.append(path)
    if order == "frail" and _spoiled:
        os._exit(4)
    if order == "raise":
        raise RuntimeError(path)
    with Path(path if path.startswith("/proc/self/fd/") else os.devnull).open("rb") as file:
        content = file.read(20)
    if content.startswith(b"frail") and _spoiled:
        time.sleep(1)  # what was hashed meanwhile has been told
        os._exit(4)
    if content.startswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "slow" or content.startswith(b"slow"):
        time.sleep(1)
    if content.startswith(b"grow"):
        with Path(content.split()[1].decode()).open("ab") as file:
            file.write(b"more")
    return unreadable(f"{content.decode() or order} by {os.getpid()}")


Pool = Callable[..., MediaPool]


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    made: list[MediaPool] = []

    def make(processes: int = 1, **options: Any) -> MediaPool:
        made.append(MediaPool(processes, options.pop("timeout_s", 5), 256 << 20, job=obey, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def fate(pool: MediaPool, order: str) -> str:
    """What the reader said, or how it died."""
    try:
        return (await pool.facts(Path("/nowhere") / order, TOLERANCE)).findings[0].found
    except ProbeDied as exc:
        return f"died: {exc}"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("crash", "died: ended by SIGSEGV"),
        ("devour", "died: ran out of memory"),
        ("exit", "died: ended with code 3"),
        ("raise", "died: failed: RuntimeError"),
    ],
)
async def test_a_lost_reader_is_named_and_replaced(pool: Pool, order: str, words: str) -> None:
    one = pool()
    before = await fate(one, "first")

    lost = await fate(one, order)

    after = await fate(one, "first")
    assert lost == words
    assert after.startswith("first by ")
    assert after != before


async def test_a_hanging_reader_is_killed_and_others_go_on(pool: Pool) -> None:
    two = pool(2, timeout_s=2)
    await asyncio.gather(fate(two, "a"), fate(two, "b"))

    started = time.monotonic()
    fates = await asyncio.gather(fate(two, "hang"), *(fate(two, f"file-{i}") for i in range(20)))

    assert fates[0] == "died: took longer than 2 s"
    assert all(words.startswith("file-") for words in fates[1:])
    assert time.monotonic() - started < 8


async def test_a_crash_among_many_files_costs_one(pool: Pool) -> None:
    deaths: list[int] = []
    two = pool(2, on_death=lambda: deaths.append(1))

    fates = await asyncio.gather(*(fate(two, "crash" if i == 7 else f"file-{i}") for i in range(20)))

    assert [i for i, words in enumerate(fates) if words.startswith("died")] == [7]
    assert (len(deaths), two.jobs) == (1, 0)


async def test_a_file_is_not_blamed_for_what_another_did_to_the_process(pool: Pool) -> None:
    one = pool()

    fates = [await fate(one, order) for order in ("spoil", "frail", "frail")]

    assert [words.split()[0] for words in fates] == ["spoil", "frail", "frail"]


async def test_processes_are_kept_and_then_renewed(pool: Pool) -> None:
    one = pool(files_a_process=3)

    readers = [(await fate(one, "file")).split()[-1] for _ in range(6)]

    assert readers == [readers[0]] * 3 + [readers[3]] * 3
    assert readers[0] != readers[3]


async def test_closing_ends_every_process(pool: Pool) -> None:
    one = pool()
    reader = int((await fate(one, "file")).split()[-1])

    one.close()

    with pytest.raises(ProcessLookupError):
        os.kill(reader, 0)


async def test_the_real_reader_works_in_the_pool_under_its_memory_limit(films: Path) -> None:
    real = MediaPool(1, 30, 512 << 20)
    try:
        found = await real.facts(films / "film.mkv", TOLERANCE)
    finally:
        real.close()

    assert found.media == "timed"
    assert found.streams[0].packets == 150


# Digest and facts together.

_SMALL, _LARGE = 1000, (4 << 20) + 1
"""Hashed before the facts are read, and meanwhile."""


def filled(path: Path, begins: str, size_bytes: int) -> Path:
    path.write_bytes(begins.encode().ljust(20) + bytes(size_bytes - 20))
    return path


@pytest.mark.parametrize("size_bytes", [20, _SMALL, _LARGE - 1, _LARGE, 70 << 20])
async def test_digest_facts_and_progress_are_those_of_one_opening(pool: Pool, tmp_path: Path, size_bytes: int) -> None:
    file, told = filled(tmp_path / "film", "film", size_bytes), list[int]()

    examined = await pool().examine(file, TOLERANCE, told.append)

    assert examined.digested.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert examined.digested.found.st_ino == file.stat().st_ino
    assert examined.facts.findings[0].found.startswith("film")
    assert sum(told) == size_bytes


@pytest.mark.parametrize("size_bytes", [_SMALL, _LARGE])
async def test_a_file_that_costs_the_process_has_a_digest_all_the_same(
    pool: Pool, tmp_path: Path, size_bytes: int
) -> None:
    file, told = filled(tmp_path / "film", "crash", size_bytes), list[int]()

    examined = await pool().examine(file, TOLERANCE, told.append)

    assert examined.digested.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert examined.facts.findings[0].found == "the process that read it ended by SIGSEGV"
    assert sum(told) == size_bytes


async def test_bytes_hashed_again_in_a_new_process_are_told_once(pool: Pool, tmp_path: Path) -> None:
    one, file, told = pool(), filled(tmp_path / "film", "frail", 70 << 20), list[int]()
    await fate(one, "spoil")

    examined = await one.examine(file, TOLERANCE, told.append)

    assert examined.facts.findings[0].found.startswith("frail")
    assert sum(told) == 70 << 20


async def test_a_file_sent_ahead_to_a_process_that_dies_is_read_by_the_next(pool: Pool, tmp_path: Path) -> None:
    one, names = pool(), ["first", "crash", "second", "third"]
    files = [filled(tmp_path / f"{i}", name, _SMALL) for i, name in enumerate(names)]

    found = await asyncio.gather(*(one.examine(file, TOLERANCE, lambda _size: None) for file in files))

    words = [examined.facts.findings[0].found for examined in found]
    assert [said.split()[0] for said in words] == ["first", "the", "second", "third"]
    assert words[1] == "the process that read it ended by SIGSEGV"


async def test_each_file_sent_ahead_has_its_own_time(pool: Pool, tmp_path: Path) -> None:
    one = pool(timeout_s=2)
    files = [filled(tmp_path / f"{i}", "slow", _SMALL) for i in range(4)]

    found = await asyncio.gather(*(one.examine(file, TOLERANCE, lambda _size: None) for file in files))

    assert [examined.facts.findings[0].found.split()[0] for examined in found] == ["slow"] * 4


async def test_no_small_file_waits_behind_a_large_one_while_another_place_is_free(pool: Pool, tmp_path: Path) -> None:
    two, done = pool(2), list[str]()
    files = [filled(tmp_path / "large", "slow", (8 << 20) + 1)]
    files += [filled(tmp_path / f"small {i}", "film", _SMALL) for i in range(6)]
    await asyncio.gather(fate(two, "a"), fate(two, "b"))

    async def read(file: Path) -> None:
        await two.examine(file, TOLERANCE, lambda _size: None)
        done.append(file.name)

    await asyncio.gather(*(read(file) for file in files))
    assert done[-1] == "large"


async def test_what_was_sent_ahead_ends_when_the_pool_is_closed(pool: Pool, tmp_path: Path) -> None:
    one, files = pool(), [tmp_path / f"{i}" / "slow" for i in range(5)]
    for file in files:
        file.parent.mkdir()
        file.touch()
    await fate(one, "first")
    reading = [asyncio.ensure_future(one.facts(file, TOLERANCE)) for file in files]
    await asyncio.sleep(0.3)

    await asyncio.to_thread(one.close)

    ends = await asyncio.gather(*reading, return_exceptions=True)
    assert [type(end) for end in ends[:2]] == [ProbeDied, ProbeDied]
    assert {type(end) for end in ends[2:]} == {asyncio.CancelledError}


@pytest.mark.parametrize("size_bytes", [_SMALL, _LARGE])
async def test_a_file_that_grew_while_it_was_read_has_no_digest(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / "g", "grow g", size_bytes)

    examined = await pool().examine(Path("g"), TOLERANCE, lambda _size: None)

    assert examined.digested.sha256 is None


@pytest.mark.parametrize("what", ["missing", "link", "folder"])
async def test_what_cannot_be_opened_is_the_callers_error_and_costs_no_process(
    pool: Pool, tmp_path: Path, what: str
) -> None:
    one = pool()
    before = await fate(one, "first")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    with pytest.raises(OSError):
        await one.examine(tmp_path / what, TOLERANCE, lambda _size: None)

    assert await fate(one, "first") == before


async def test_a_pipe_that_took_a_files_name_is_not_waited_for(pool: Pool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film")

    with pytest.raises(OSError):
        await asyncio.wait_for(pool().examine(tmp_path / "film", TOLERANCE, lambda _size: None), 10)
