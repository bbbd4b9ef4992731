"""Prometheus and Alertmanager from the distribution's packages, with the rules of ``infra/prometheus``."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from infra.native.daemon import Daemon
from infra.native.layout import ROOT, Layout

_WORKER_PORTS = (19101, 19102, 19111, 19112)


def daemons(layout: Layout) -> list[Daemon]:
    """Both daemons; nothing is written before their ``make``."""
    folder = layout.path("prometheus")
    config = folder / "prometheus.yml"
    prometheus = Daemon(
        "prometheus",
        (
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=15d",
            "--enable-feature=exemplar-storage",
            f"--web.listen-address=127.0.0.1:{layout.prometheus}",
        ),
        folder,
        layout.prometheus,
        lambda: _ready(layout.prometheus),
        make=lambda: _write(config, prometheus_config(layout)),
    )
    home = layout.path("alertmanager")
    routes = home / "alertmanager.yml"
    alertmanager = Daemon(
        "alertmanager",
        (
            "prometheus-alertmanager",
            f"--config.file={routes}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{layout.alertmanager}",
            "--cluster.listen-address=",
        ),
        home,
        layout.alertmanager,
        lambda: _ready(layout.alertmanager),
        make=lambda: _write(routes, (ROOT / "infra/prometheus/alertmanager.yml").read_text()),
    )
    return [prometheus, alertmanager]


def _write(config: Path, text: str) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)


def prometheus_config(layout: Layout) -> str:
    """The committed configuration with this stack's ports and paths."""
    template = (ROOT / "infra/prometheus/prometheus.yml").read_text()
    targets = ", ".join(f'"127.0.0.1:{port + layout.offset}"' for port in _WORKER_PORTS)
    return (
        template.replace("rules/*.yml", str(ROOT / "infra/prometheus/rules/*.yml"))
        .replace('"127.0.0.1:19101", "127.0.0.1:19102", "127.0.0.1:19111", "127.0.0.1:19112"', targets)
        .replace("127.0.0.1:19090", f"127.0.0.1:{layout.prometheus}")
        .replace("127.0.0.1:19094", f"127.0.0.1:{layout.alertmanager}")
    )


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
