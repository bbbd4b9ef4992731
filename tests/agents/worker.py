"""A worker process for the tests: ``python -m tests.agents.worker KAFKA PREFIX ours|naive``."""

from __future__ import annotations

import sys
import time

from pipeline.adapters import logs
from pipeline.agents.runner import Runner
from pipeline.agents.transport import build_app, run_worker
from pipeline.domain.time import WallMs
from tests.agents import toy
from tests.agents.quarantine import encode


def main() -> None:
    kafka, prefix, form = sys.argv[1:4]
    logs.configure("console")
    names = toy.Names(prefix)
    app = build_app("toy", kafka=kafka, prefix=prefix, session_s=3.0)
    if form == "naive":
        from tests.agents import naive

        naive.bind(app, names)
    else:
        runner = Runner(
            app,
            kafka=kafka,
            quarantine_topic=names.quarantine,
            encode_quarantine=encode,
            now=lambda: WallMs(time.time_ns() // 1_000_000),
        )
        order, link, echo = toy.stages(names)
        runner.bind(order)
        runner.bind(link)
        runner.bind(echo)
    run_worker(app, kafka=kafka)


if __name__ == "__main__":
    main()
