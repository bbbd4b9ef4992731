"""The main job on real services: what is reported is what was planted, whatever happens on the way."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand
from pipeline.demo.truth import Truth
from tests.e2e.conftest import Film
from tests.oracle.look import Verdict, settled

pytestmark = pytest.mark.stack

DATE = "2026-11-24"


def _truths(shots: Sequence[Shot]) -> list[Truth]:
    return [truth for shot in shots for truth in shot.truths]


def _in_pieces(shot: Shot, dice: random.Random) -> list[Shot]:
    """The same files in random order, in one to three imports, late ones among them."""
    files = [*shot.files, *shot.late]
    dice.shuffle(files)
    count = min(len(files), dice.randint(1, 3))
    return [replace(shot, files=tuple(files[number::count]), late=()) for number in range(count)]


def _faults_of_checkpoints(stand: Stand) -> tuple[int, list[str]]:
    """How many recordings have checkpoints, and what of these is not as in their chains."""
    report = json.loads(stand.call("verify", "--json"))
    items = [item for item in report["items"] if item["check"] == "checkpoints"]
    return len(items), [f"{item['about']}: {item['found']}" for item in items if item["result"] != "pass"]


def test_what_is_reported_is_what_was_planted_and_importing_again_changes_nothing(working: Stand, film: Film) -> None:
    shots = film()
    for shot in shots:
        working.announce_window(shot)
        working.bring_in(shot, shot.files, DATE)
        if shot.late:
            working.bring_in(shot, shot.late, DATE)
    first = settled(working, _truths(shots))
    assert first.wrong == []

    for shot in shots:
        working.bring_in(shot, (*shot.files, *shot.late), DATE)
    time.sleep(3)
    second = settled(working, _truths(shots))

    assert second == Verdict(wrong=[], extra=0, reports=first.reports)
    kept, faults = _faults_of_checkpoints(working)
    assert (kept > 0, faults) == (True, [])


def test_the_order_of_import_does_not_matter(working: Stand, film: Film) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    shots = film()
    for shot in shots:
        working.announce_window(shot)

    pieces = [piece for shot in shots for piece in _in_pieces(shot, dice)]
    dice.shuffle(pieces)
    for piece in pieces:
        working.bring_in(piece, piece.files, DATE)
    verdict = settled(working, _truths(shots))

    assert verdict.wrong == [], f"seed {seed}"
    assert verdict.extra == 0
