"""What ``unbroken verify`` shows: a line for each answer as it is found, how far it is, or JSON (schemas/verify-report.v1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from pipeline.cli.printable import printable
from pipeline.domain.canonical import plain
from pipeline.domain.selection import Selection
from pipeline.domain.verify import Item, Result

WORDS: Final[dict[Result, str]] = {"pass": "PASS", "fail": "FAIL", "not_covered": "NOT COVERED"}
_COLOURS: Final[dict[Result, str]] = {"pass": "green", "fail": "red", "not_covered": "yellow"}


class Watched(NamedTuple):
    """``show`` prints an item above the bar, if there is one; the others move the bar."""

    show: Callable[[Item], None]
    on_read: Callable[[int], None]
    on_recording: Callable[[int, int, str], None]


@contextmanager
def watched() -> Iterator[Watched]:
    """A bar when a person is watching: on stdout if that is a terminal, so that lines and bar do not cross, else on stderr."""
    out = Console(highlight=False)
    console = out if out.is_terminal else Console(stderr=True)

    def show(item: Item) -> None:
        if out.is_terminal:
            out.print(in_words(item), soft_wrap=True)
        else:
            print(in_words(item).plain)  # a third of the time of a large archive went into laying out what is no screen

    if not console.is_terminal:
        yield Watched(show, lambda _size_bytes: None, lambda _number, _of, _name: None)
        return
    columns = (
        BarColumn(),
        TextColumn("{task.completed}/{task.fields[of]} recordings, {task.fields[mb]:.0f} MB read, {task.fields[mb_per_s]:.0f} MB/s,"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("listing", total=None, of="?", mb=0.0, mb_per_s=0.0)

        def on_read(size_bytes: int) -> None:
            one = bar.tasks[task]
            mb = one.fields["mb"] + size_bytes / 1e6
            bar.update(task, mb=mb, mb_per_s=mb / max(one.elapsed or 0, 0.1))

        def on_recording(number: int, of: int, name: str) -> None:
            bar.update(task, completed=number - 1, total=of, of=str(of), description=escape(name))

        yield Watched(show, on_read, on_recording)


def in_words(item: Item) -> Text:
    """One line; a difference has both sides on lines of their own. What an archive holds is a stranger's text: of it only
    what can be printed is shown."""
    text = Text.assemble((f"{WORDS[item.result]:<11}", _COLOURS[item.result]), f"  {item.about}  {item.check}: ")
    if item.result == "fail":
        sides = f"\n               expected {printable(item.expected)}\n               found    {printable(item.found)}"
        return text.append(printable(item.place) + sides)
    return text.append(printable(item.found))


def closing(items: Sequence[Item]) -> str:
    """The last line: how many of each."""
    counts = Counter(item.result for item in items)
    return ", ".join(f"{counts[result]} {word}" for result, word in WORDS.items())


def report(where: str, selection: Selection, items: Sequence[Item], *, deep: bool, resumed: int) -> dict[str, Any]:
    """The same in the shape of ``schemas/verify-report.v1``."""
    counts = Counter(item.result for item in items)
    return {
        "where": where,
        "selection": in_fields(selection),
        "deep": deep,
        "resumed": resumed,
        "results": {result: counts[result] for result in WORDS},
        "items": [asdict(item) for item in items],
    }


def in_fields(selection: Selection) -> dict[str, Any]:
    """What narrows a run, as JSON."""
    part = selection.part
    return {
        "source": selection.source,
        "recording": selection.recording,
        "since": plain(selection.since),
        "subset": None if part is None else f"{part.number}/{part.of}",
    }
