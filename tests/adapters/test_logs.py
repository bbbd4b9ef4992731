"""Log lines: one vocabulary, one form, and no flood."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest
import structlog

from pipeline.adapters import logs

PIPELINE = Path(logs.__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "critical"}


def line(name: str, message: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(name, level, "file", 1, message, args, None)


def spoken() -> set[str]:
    """Every literal first argument of ``*log*.<level>(...)`` in the product."""
    found = set()
    for path in PIPELINE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and ("log" in ast.unparse(node.func.value) or "_out" in ast.unparse(node.func.value))
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_event_logged_is_in_the_vocabulary() -> None:
    assert spoken() - logs.EVENTS == set()


@pytest.fixture
def restored() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored")
def test_a_json_line_holds_the_event_and_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")

    structlog.get_logger("pipeline.agents.lane").warning("input.quarantined", stage="链", offset=3)
    logging.getLogger("aiokafka").warning("group %s is gone", "g")
    ours, theirs = (json.loads(text) for text in capsys.readouterr().err.splitlines())

    assert (ours["event"], ours["stage"], ours["offset"], ours["level"]) == ("input.quarantined", "链", 3, "warning")
    assert (theirs["event"], theirs["level"]) == ("group g is gone", "warning")


def test_a_librarys_repeated_warning_passes_once_and_ours_always() -> None:
    repeats = logs.Repeats()

    passed = [repeats.filter(line("aiokafka.conn", "cannot connect to %s", number)) for number in range(100)]

    assert sum(passed) == 1
    assert all(repeats.filter(line("pipeline.agents.lane", "input.waiting")) for _ in range(100))
    assert not repeats.filter(line("faust.app", "starting", level=logging.INFO))


def test_after_a_while_it_passes_again_and_says_how_many_were_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    repeats, now = logs.Repeats(), 0.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    for _ in range(4):
        repeats.filter(line("aiokafka", "cannot connect"))

    now = logs.REPEAT_S
    again = line("aiokafka", "cannot connect")

    assert repeats.filter(again)
    assert again.getMessage() == "cannot connect (3 more like this)"
