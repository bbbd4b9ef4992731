"""A case is filed, a court asks for a hold, somebody with the store's key meddles, a card is cleared: on real services."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.objects_s3 import open_store
from pipeline.adapters.signing import KEY_FILE
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand
from pipeline.ports import ObjectStat
from tests.e2e.conftest import Film
from tests.e2e.test_bad_input import _report, _whole

pytestmark = pytest.mark.stack

DAY_MS = 86_400_000
ORDER = ("--hold", "court 2026-17", "--reason", "order of 24 November", "--by", "Li Wei")


def _objects(stand: Stand, report: dict[str, Any]) -> list[ObjectStat]:
    """Everything of the recording as the store reports it now."""
    settings = stand.settings()
    store = open_store(settings)
    folder = f"recordings/{report['source_id']}/{report['recording_id']}/"
    documents = [one.key for one in store.list(settings.records, folder)]
    receipt = json.loads(store.read(settings.records, max(key for key in documents if key.endswith("receipt.json"))))
    places = [(settings.records, key) for key in documents]
    places += [(item["object"]["bucket"], item["object"]["key"]) for item in receipt["originals"]]
    return [store.stat(*place) for place in places]


def _eventually(is_so: Callable[[], bool], what: str, wait_s: float = 60) -> None:
    deadline = time.monotonic() + wait_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {wait_s} s: {what}"
        time.sleep(0.5)


def _sweep(stand: Stand, shot: Shot, *words: str) -> dict[str, Any]:
    narrowed = ("--source", shot.source_id, "--recording", str(shot.recording))
    said = stand.call("retention", "sweep", *narrowed, *words, "--json", allowed=(0, 1))
    report: dict[str, Any] = json.loads(said)
    return report


def test_a_recording_is_kept_as_its_file_and_as_a_court_demand_and_its_card_is_cleared(
    working: Stand, film: Film
) -> None:
    shot = _whole(film())
    about = (str(shot.recording), "--source", shot.source_id)
    working.bring_in(shot, shot.files, "2026-11-24")
    report = _report(working, str(shot.recording))
    provisional = min(stat.retain_until or 0 for stat in _objects(working, report))

    working.call("describe", *about, "--case-name", "案 1", "--retention-class", "10y")
    _eventually(
        lambda: min(stat.retain_until or 0 for stat in _objects(working, report)) >= provisional + DAY_MS - 60_000,
        "every lock is as long as the class",
    )
    assert _sweep(working, shot)["found"] == []

    working.call("hold", "add", *about, *ORDER)
    held = _objects(working, report)
    open_store(working.settings()).set_hold(held[-1].bucket, held[-1].key, held[-1].version_id, False)
    seen, mended = _sweep(working, shot), _sweep(working, shot, "--repair")
    working.call(
        "explain", *about, "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:00:01Z", "--reason", "R4"
    )
    _eventually(lambda: len(_objects(working, report)) > len(held), "a later revision")
    _eventually(lambda: all(stat.legal_hold for stat in _objects(working, report)), "the later revision is held")

    assert {stat.legal_hold for stat in held} == {True}
    assert [one["kind"] for one in seen["found"]] == ["hold"]
    assert (mended["mended"], mended["left"]) == (1, 0)

    alone = ("hold", "release", *about, *ORDER, "--second", "li wei")
    working.call(*alone, allowed=(2,))
    working.call("hold", "release", *about, *ORDER, "--second", "Wang Fang")
    assert {stat.legal_hold for stat in _objects(working, report)} == {False}
    assert _sweep(working, shot)["found"] == []

    _clears(working, shot)


def _clears(stand: Stand, shot: Shot) -> None:
    """The card's files go on the word of the receipt when that is asked for, and not before."""
    public = (stand.folder / KEY_FILE).with_suffix(".pub.pem")
    names = ("--source", shot.source_id, "--unit", shot.unit, "--kind", shot.kind, "--recording", str(shot.recording))

    unasked = _import(stand, shot.files, *names)
    there = all(path.exists() for path in shot.files)
    told = _import(stand, shot.files, *names, "--clear", "--key", str(public))

    assert (unasked["cleared"], there) == (None, True)
    assert (sorted(told["cleared"]), told["kept"]) == (sorted(map(str, shot.files)), [])
    assert not any(path.exists() for path in shot.files)


def _import(stand: Stand, paths: tuple[Path, ...], *words: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(stand.call("import", *map(str, paths), *words, "--json"))
    return result


def test_a_recorder_s_spool_keeps_its_segments_until_they_are_archived_and_not_for_ever(
    working: Stand, film: Film, tmp_path: Path
) -> None:
    seen, source = tmp_path / "seen.ts", f"lens-{secrets.token_hex(3)}"
    cut = ["ffmpeg", "-v", "error", "-i", str(film()[0].files[0]), "-t", "3", "-c", "copy", str(seen)]
    subprocess.run(cut, check=True, timeout=30)
    names = ("--source", source, "--unit", "hall", "--kind", "body_camera", "--recording", f"{source}-1")
    ready = working.folder / "spool" / source / "ready"
    public = (working.folder / KEY_FILE).with_suffix(".pub.pem")

    working.call("record", str(seen), *names, "--segment-s", "1")
    spooled = sorted(ready.rglob("*.ts"))
    _import(working, (ready,), *names)  # says that the recording is over
    _report(working, f"{source}-1")
    kept = sorted(ready.rglob("*.ts"))
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "record", str(tmp_path / "away.ts"), *names, "--clear", "--key", public],
        env=working.environment(),
        stderr=subprocess.DEVNULL,
    ) as recorder:
        try:
            _eventually(lambda: list(ready.iterdir()) == [], "the spool is empty")
        finally:
            recorder.terminate()

    assert (len(spooled) > 1, kept) == (True, spooled)
    assert recorder.returncode == 0
