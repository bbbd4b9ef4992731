"""Logs: one event per line, JSON or for a terminal, from a fixed vocabulary.

An event is a noun and a past participle or state (``input.quarantined``); everything else is a field. Names here are
promises to whoever searches the logs: add freely, never rename. Libraries' own lines pass through the same handler, each
repeated message at most once in ten seconds: during an outage the Kafka client alone writes thousands.
"""

from __future__ import annotations

import logging
import sys
from time import monotonic
from typing import Final, Literal

import structlog

EVENTS: Final = frozenset(
    {
        "broker.waiting",
        "camera.lost",
        "camera.resumed",
        "camera.started",
        "camera.waiting",
        "clearing.waiting",
        "file.announced",
        "file.cleared",
        "file.refused",
        "history.trimmed",
        "input.blocked",
        "input.quarantined",
        "input.waiting",
        "lane.broken",
        "loop.late",
        "offsets.hole",
        "partitions.released",
        "producer.renewed",
        "progress.missing",
        "progress.unknown",
        "state.behind",
        "state.ghost",
        "state.loaded",
        "state.unreadable",
        "state.waiting",
        "canary.unsent",
        "reports.failed",
        "reports.waiting",
        "reports.written",
        "retention.short",
        "retention.swept",
        "intake.resumed",
        "intake.waiting",
        "verify.failed",
        "verify.turned",
        "verify.unturned",
        "retention.unswept",
        "spool.kept",
        "store.mistrusted",
        "store.report_lost",
        "store.trusted",
        "store.untried",
        "timer.failed",
        "watch.started",
        "watch.stopped",
        "topics.missing",
        "worker.cut_short",
        "worker.key",
        "worker.started",
    }
)
REPEAT_S: Final = 10.0
# The last one is ours by name only: Faust's services log under the module of their subclass.
CHATTY: Final = ("aiokafka", "faust", "mode", "asyncio", "pipeline.agents.transport")


class Repeats(logging.Filter):
    """Lets a library's warning pass once in ``REPEAT_S`` and says how many like it were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(CHATTY):
            return True
        if record.levelno < logging.WARNING:
            return False
        template = (record.name, str(record.msg)[:120])
        at, held_back = self._passed.get(template, (float("-inf"), 0))
        now = monotonic()
        if now - at < REPEAT_S:
            self._passed[template] = (at, held_back + 1)
            return False
        if len(self._passed) > 1000:
            self._passed.clear()
        self._passed[template] = (now, 0)
        if held_back:
            record.msg = f"{record.getMessage()} ({held_back} more like this)"
            record.args = ()
        return True


def configure(log_format: Literal["json", "console"]) -> None:
    """Send structlog's and the libraries' lines to stderr in one form. Call once, before anything logs."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.typing.Processor
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
