"""The command tree: of one command that is wanted only its file is imported, and that changes nothing but the time."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import COMMANDS, build


def names(app: typer.Typer) -> set[str]:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    return set(command.commands)


@pytest.mark.parametrize("file", COMMANDS)
def test_each_file_registers_the_commands_it_is_listed_with(file: str) -> None:
    commands = COMMANDS[file]

    found = [names(build(command)) for command in commands]

    assert found == [set(commands)] * len(commands)


@pytest.mark.parametrize("wanted", [None, "--help", "nonsense"])
def test_what_is_no_command_gets_all_of_them(wanted: str | None) -> None:
    assert names(build(wanted)) == {command for commands in COMMANDS.values() for command in commands}


def test_the_only_command_of_a_tree_keeps_its_name() -> None:
    shown = CliRunner().invoke(build("verify"), ["verify", "--help"])

    assert shown.exit_code == 0
    assert "unbroken verify" in shown.output or "verify [OPTIONS]" in shown.output


def test_one_command_does_not_load_the_libraries_of_others() -> None:
    program = "import sys; from pipeline.cli import build; build('verify'); print('av' in sys.modules, 'faust' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split() == ["False", "False"]
