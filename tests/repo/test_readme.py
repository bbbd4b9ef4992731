"""The command lines of the README and the documents are ones the product takes: commands exist, options are their own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from pipeline.cli import build

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = "\n".join(re.findall(r"```\n(.*?)```", README, flags=re.DOTALL))
LINES = [
    part.strip()
    for line in BLOCKS.splitlines()
    for part in re.split(r"&&|&(?=\s|$)", line.split(" #")[0].rstrip())
    if part.strip().startswith("unbroken ")
]


PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md"), *ROOT.glob("schemas/*.md")]
)


def _exists(words: list[str]) -> bool:
    """Whether a command begins with these words; what stands behind one is an argument."""
    command = typer.main.get_command(build())
    for word in words:
        if not isinstance(command, TyperGroup):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


def _fault(line: str) -> str | None:
    """What of *line* the command line would not understand, or ``None``."""
    words = shlex.split(line)[1:]
    command = typer.main.get_command(build())
    while isinstance(command, TyperGroup):
        if command.invoke_without_command and (not words or words[0].startswith("-")):
            break
        if not words or words[0] not in command.commands:
            return f"no command {words[:1]}"
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    needed = [p.opts[0] for p in command.params if p.required and p.opts[0].startswith("--") and p.opts[0] not in words]
    return f"unknown {unknown}, missing {needed}" if unknown or needed else None


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_the_readme_is_understood(line: str) -> None:
    assert _fault(line) is None


def test_the_readme_shows_the_commands_people_begin_with() -> None:
    shown = {line.split()[1] for line in LINES}

    assert {"import", "watch", "record", "recordings", "status", "doctor", "describe", "explain", "worker"} <= shown


@pytest.mark.parametrize(
    "line", ["unbroken nothing", "unbroken import X --sauce y", "unbroken import X --source a --unit b"]
)
def test_a_line_that_is_not_understood_would_be_noticed(line: str) -> None:
    assert _fault(line) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_commands_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    spoken = {match.rstrip("/") for match in re.findall(r"`unbroken ([a-z]+(?: [a-z]+)?)[ `]", text)}
    spoken |= set(re.findall(r"^unbroken ([a-z]+(?: [a-z]+)?)(?= |$)", text, flags=re.MULTILINE))

    assert [words for words in sorted(spoken) if not _exists(words.split())] == []


def test_the_readme_shows_every_command() -> None:
    command = typer.main.get_command(build())
    assert isinstance(command, TyperGroup)

    assert sorted(set(command.commands) - {line.split()[1] for line in LINES} - {"check"}) == []
