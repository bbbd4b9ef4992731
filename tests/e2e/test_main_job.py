"""The main job on real services: what is reported is what was planted, whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.adapters.objects_s3 import open_store
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand
from pipeline.demo.truth import Truth, differences
from tests.e2e.conftest import Film

pytestmark = pytest.mark.stack

DATE = "2026-11-24"
WAIT_S = 90


def _truths(shots: Sequence[Shot]) -> list[Truth]:
    return [truth for shot in shots for truth in shot.truths]


def _settled(stand: Stand, truths: Sequence[Truth]) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """The differences that are left once there are none or the time is over, and the reports they rest on."""
    deadline = time.monotonic() + WAIT_S
    while True:
        reports = stand.recordings()
        left = {str(truth.recording_id): differences(truth, reports.get(truth.recording_id)) for truth in truths}
        if not any(left.values()) or time.monotonic() > deadline:
            ours = {name: reports[name] for name in left if name in reports}
            return {name: lines for name, lines in left.items() if lines}, ours
        time.sleep(0.5)


def _in_pieces(shot: Shot, dice: random.Random) -> list[Shot]:
    """The same files in random order, in one to three imports, late ones among them."""
    files = [*shot.files, *shot.late]
    dice.shuffle(files)
    count = min(len(files), dice.randint(1, 3))
    return [replace(shot, files=tuple(files[number::count]), late=()) for number in range(count)]


def _archive_faults(stand: Stand, truths: Sequence[Truth]) -> list[str]:
    """What is wrong with the originals in the store: each must be there once, under its own bytes' digest, locked."""
    settings = stand.settings()
    store = open_store(settings)
    found = []
    for key in dict.fromkeys(key for truth in truths for key in truth.originals):
        stat = store.stat(settings.originals, key)
        held = hashlib.sha256(store.read(settings.originals, key)).hexdigest()
        if held not in key:
            found.append(f"{key}: holds {held}")
        if len(store.versions(settings.originals, key)) != 1:
            found.append(f"{key}: more than one version")
        if stat.lock_mode != "COMPLIANCE" or stat.retain_until is None or stat.retain_until <= time.time() * 1000:
            found.append(f"{key}: {stat.lock_mode} until {stat.retain_until}")
    return found


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
    wrong, first = _settled(working, _truths(shots))
    assert wrong == {}

    for shot in shots:
        working.bring_in(shot, (*shot.files, *shot.late), DATE)
    time.sleep(3)
    wrong, second = _settled(working, _truths(shots))

    assert wrong == {}
    assert second == first
    assert _archive_faults(working, _truths(shots)) == []
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
    wrong, _reports = _settled(working, _truths(shots))

    assert wrong == {}, f"seed {seed}"
    assert _archive_faults(working, _truths(shots)) == []


def test_killing_both_workers_in_between_does_not_matter(working: Stand, film: Film) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    shots = film()
    pieces = [piece for shot in shots for piece in _in_pieces(shot, dice)]

    importing = threading.Thread(target=_bring_all_in, args=(working, shots, pieces))
    importing.start()
    for _ in range(4):
        if dice.random() < 0.75:  # at work; else still starting
            for which in working.ports:
                working.ready(which)
        time.sleep(dice.uniform(0.0, 3.0))
        for which in working.ports:
            working.kill(which)
            working.start(which)
    importing.join()
    wrong, _reports = _settled(working, _truths(shots))

    assert wrong == {}, f"seed {seed}"
    assert _archive_faults(working, _truths(shots)) == []


def _bring_all_in(stand: Stand, shots: Sequence[Shot], pieces: Sequence[Shot]) -> None:
    for shot in shots:
        stand.announce_window(shot)
    for piece in pieces:
        stand.bring_in(piece, piece.files, DATE)
