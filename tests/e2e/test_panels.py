"""Every query of every panel and rule, asked of a real Prometheus that watches real workers do the main job."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboards.boards import BOARDS
from pipeline.demo.stand import Stand
from pipeline.demo.truth import Truth, differences
from tests.e2e.conftest import Film
from tests.e2e.monitor import Monitor
from tests.infra.expressions import ROOT, RULES, filled_in, series_in

pytestmark = pytest.mark.stack

HEALTHY_EMPTY = {
    "unbroken:store_free_bytes": "the local stack has no exporter of the store's room; the alert that says so fires",
}
"""Recorded series that may be empty, and why. A panel may not be, and an alert's emptiness is its health."""
FOREIGN_STORES = {
    "ceph_cluster_total_bytes",
    "ceph_cluster_total_used_bytes",
    "minio_cluster_capacity_usable_free_bytes",
    "node_filesystem_avail_bytes",
}
SETTLE_S = 12
"""Scrapes and evaluations after the last event: a rate needs two samples, a rule on a rule one round more."""


def test_every_panel_and_every_rule_answers_after_the_demo_and_exemplars_name_recordings(
    working: Stand, film: Film, tmp_path: Path
) -> None:
    with Monitor(tmp_path / "monitor", list(working.ports.values())) as monitor:
        time.sleep(3)  # so that growth is seen from zero
        began = time.time()
        shots = film()
        for shot in shots:
            working.announce_window(shot)
            working.bring_in(shot, (*shot.files, *shot.late), "2026-11-24")
        _wait_for_all(working, [truth for shot in shots for truth in shot.truths])
        time.sleep(SETTLE_S)
        end = time.time()

        empty = {
            f"{board.key}/{panel.key}: {query.expr}"
            for board in BOARDS.values()
            for panel in board.panels
            for query in panel.queries
            if not _answers(monitor, query.expr, began, end, now=query.now)
        }
        records = {rule["record"] for rule in RULES if "record" in rule and not monitor.ask(rule["expr"])}
        missing = {
            name for rule in RULES if "alert" in rule for name in series_in(rule["expr"]) if not monitor.ask(name)
        }
        named = {
            sample["labels"]["recording_id"]
            for series in monitor.exemplars("unbroken_archive_latency_seconds_bucket")
            for sample in series["exemplars"]
        }
        if folder := os.environ.get("UNBROKEN_PREVIEWS"):
            url = f"http://127.0.0.1:{monitor.prometheus}"
            span = f"{end - began:.0f}"
            subprocess.run([sys.executable, "-m", "dashboards.preview", url, span, folder], cwd=ROOT, check=True)

    assert empty == set()
    assert records == set(HEALTHY_EMPTY)
    assert missing - FOREIGN_STORES == set(HEALTHY_EMPTY)
    assert named & {truth.recording_id for shot in shots for truth in shot.truths}


def _answers(monitor: Monitor, expr: str, began: float, end: float, *, now: bool) -> bool:
    """Whether a number comes back: one value now, or at least one point of one series."""
    asked = filled_in(expr, interval="10s", span="5m")
    if now:
        found = [float(sample["value"][1]) for sample in monitor.ask(asked)]
    else:
        found = [float(value) for series in monitor.ask_over(asked, began, end) for _, value in series["values"]]
    return any(math.isfinite(value) for value in found)


def _wait_for_all(stand: Stand, truths: list[Truth]) -> None:
    until = time.monotonic() + 90
    while True:
        reports = stand.recordings()
        left = [truth.recording_id for truth in truths if differences(truth, reports.get(truth.recording_id))]
        if not left:
            return
        assert time.monotonic() < until, left
        time.sleep(1)
