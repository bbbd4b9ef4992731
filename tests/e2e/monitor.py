"""A Prometheus and an Alertmanager of a test's own, beside those of the stack: quick scrapes, the committed rules and routes,
and a receiver that writes down every notification.

``shrink`` shortens the rules' day to a minute, as the test's policy does with the deadline: what is compared, averaged and
waited over is divided by the same number and never falls under a few scrapes.
"""

from __future__ import annotations

import json
import math
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final = Path(__file__).resolve().parents[2] / "infra/prometheus"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LEAST_S: Final = 5
"""Windows and patience shorter than this many scrapes of a second would see nothing."""

_SILENCE_S: Final = 25
"""A worker asks the broker for its ends every ten seconds."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert of one notification; ``at``: monotonic seconds."""

    receiver: str
    alert: str
    status: str
    labels: Mapping[str, str]
    at: float


@dataclass
class Monitor:
    """``targets``: ports of workers to scrape. ``shrink``: by how much the rules' times are divided."""

    folder: Path
    targets: Sequence[int]
    shrink: int = 1
    heard: list[Heard] = field(default_factory=list)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Monitor:
        self._server = _receiver(self.heard)
        self.prometheus, self.alertmanager = _free_port(), _free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rules").mkdir()
        for path in sorted((RULES / "rules").glob("*.yml")):
            (self.folder / "rules" / path.name).write_text(shrunk(path.read_text("utf-8"), self.shrink), "utf-8")
        (self.folder / "prometheus.yml").write_text(json.dumps(self._scrapes()))  # JSON is YAML
        (self.folder / "alertmanager.yml").write_text(json.dumps(self._routes(self._server.server_port)))
        self._run("alertmanager", "prometheus-alertmanager", "--cluster.listen-address=", "--storage.path=alerts")
        self.run_prometheus()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.end(name)
        if self._server is not None:
            self._server.shutdown()

    def run_prometheus(self) -> None:
        """Start it; again after :meth:`end`."""
        self._run(
            "prometheus",
            "prometheus",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
            # An alert is over for Alertmanager when it was not heard of for four times as long.
            "--rules.alert.resend-delay=1s",
        )

    def end(self, name: str) -> None:
        """End ``prometheus`` or ``alertmanager`` as a crash would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The instant vector of *expr*; a scalar as one sample without labels."""
        found = self._api("query", query=expr, **({} if at is None else {"time": at}))
        if found["resultType"] == "scalar":
            return [{"metric": {}, "value": found["result"]}]
        result: list[dict[str, Any]] = found["result"]
        return result

    def ask_over(self, expr: str, start: float, end: float, step_s: float = 1) -> list[dict[str, Any]]:
        """The series of *expr* from *start* to *end*."""
        result: list[dict[str, Any]] = self._api("query_range", query=expr, start=start, end=end, step=step_s)["result"]
        return result

    def exemplars(self, metric: str) -> list[dict[str, Any]]:
        """The exemplars kept of *metric*."""
        now = time.time()
        found: list[dict[str, Any]] = self._api("query_exemplars", query=metric, start=now - 3600, end=now)
        return found

    def firing(self) -> dict[str, list[Mapping[str, str]]]:
        """The labels of everything that fires now, by alert."""
        found: dict[str, list[Mapping[str, str]]] = {}
        for alert in self._api("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def wait_for(self, alert: str, status: str, within_s: float, **labels: str) -> Heard:
        """The first notification of *alert* with *status* and *labels*; fails with what was heard instead."""
        found: Heard = self.wait(
            lambda: next(
                (
                    h
                    for h in self.heard
                    if (h.alert, h.status) == (alert, status) and labels.items() <= h.labels.items()
                ),
                None,
            ),
            within_s,
            f"{alert} {status} {labels}",
        )
        return found

    def wait(self, look: Callable[[], Any], within_s: float, what: str) -> Any:
        """What *look* returns once it is something."""
        until = time.monotonic() + within_s
        while not (found := look()):
            assert time.monotonic() < until, f"no {what} within {within_s:.0f} s; heard {self._summary()}"
            time.sleep(0.2)
        return found

    def _summary(self) -> list[tuple[str, str, str]]:
        return sorted({(heard.receiver, heard.alert, heard.status) for heard in self.heard})

    def _api(self, what: str, **parameters: Any) -> Any:
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{parameters}: {exc.read().decode()}") from exc

    # -- being there -------------------------------------------------------------------------------------------------

    def _scrapes(self) -> dict[str, Any]:
        def job(name: str, *ports: int) -> dict[str, Any]:
            return {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}

        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.alertmanager}"]}]}]},
            "scrape_configs": [
                job("unbroken-worker", *self.targets),
                job("prometheus", self.prometheus),
                job("alertmanager", self.alertmanager),
            ],
        }

    def _routes(self, port: int) -> dict[str, Any]:
        """The committed routes and inhibitions; only patience is shorter, and every receiver is ours."""
        routes: dict[str, Any] = yaml.safe_load((RULES / "alertmanager.yml").read_text("utf-8"))
        for route in (routes["route"], *routes["route"]["routes"]):
            route |= {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "5s"}
        for receiver in routes["receivers"]:
            receiver["webhook_configs"] = [
                {"url": f"http://127.0.0.1:{port}/{receiver['name']}", "send_resolved": True}
            ]
        return routes

    def _run(self, name: str, program: str, *arguments: str) -> None:
        port = self.prometheus if name == "prometheus" else self.alertmanager
        listen = f"--web.listen-address=127.0.0.1:{port}"
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [program, f"--config.file={name}.yml", listen, *arguments], cwd=self.folder, stdout=log, stderr=log
            )
        until = time.monotonic() + 30
        while not _ready(port):
            said = (self.folder / f"{name}.log").read_text("utf-8", "replace")[-1000:]
            assert time.monotonic() < until, f"{name} is not ready after 30 s: {said}"
            time.sleep(0.1)


def shrunk(rules: str, by: int) -> str:
    """The text of a rule file with its times divided by *by*; with 1, as it is."""
    if by == 1:
        return rules
    made = yaml.safe_load(rules)
    for group in made["groups"]:
        for rule in group["rules"]:
            rule["expr"] = _shrunk_expression(rule["expr"], by)
            if "for" in rule:
                rule["for"] = f"{max(1, math.ceil(_seconds(rule['for']) / by))}s"
    return yaml.safe_dump(made, allow_unicode=True, width=1000)


def _shrunk_expression(expr: str, by: int) -> str:
    def window(found: re.Match[str]) -> str:
        return f"{found[1]}{max(_LEAST_S, math.ceil(_seconds(found[2]) / by))}s{found[3]}"

    if "worm_probe" in expr:
        return expr  # a worker tries the store once a minute at most
    expr = re.sub(r"(\[)(\d+[smhd])(\])", window, expr)
    expr = re.sub(r"(\boffset )(\d+[smhd])(\b)", window, expr)
    expr = re.sub(r"\b(\d+) \* 3600\b", lambda found: f"{int(found[1]) * 3600 / by:g}", expr)
    expr = re.sub(r"\b3600\b", f"{3600 / by:g}", expr)
    return re.sub(r"> (300|120)\b", f"> {_SILENCE_S}", expr)


def _seconds(text: str) -> int:
    return int(text[:-1]) * _SECONDS[text[-1]]


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _receiver(heard: list[Heard]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in said["alerts"]:
                labels = alert["labels"]
                heard.append(
                    Heard(self.path.strip("/"), labels["alertname"], alert["status"], labels, time.monotonic())
                )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
