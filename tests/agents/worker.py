"""A worker process for the tests: ``python -m tests.agents.worker KAFKA PREFIX FORM``.

FORM is ``ours``, ``ours-uncommitted`` (ours with commits a minute apart) or one of ``naive.FORMS``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from pipeline.adapters import logs
from pipeline.agents import transport
from pipeline.agents.runner import Output, Runner
from pipeline.agents.transport import build_app, run_worker
from pipeline.domain.time import WallMs
from tests.agents import naive, quarantine, toy


def now() -> WallMs:
    return WallMs(time.time_ns() // 1_000_000)


def main() -> None:
    kafka, prefix, form = sys.argv[1:4]
    logs.configure("console")
    if form in naive.FORMS:
        run_worker(naive.build(form, kafka=kafka, prefix=prefix), kafka=kafka)
    if form == "ours-uncommitted":
        transport.COMMIT_INTERVAL_S = 60  # type: ignore[misc]  # the one constant a test must bend
    names = toy.Names(prefix)
    app = build_app("toy", kafka=kafka, prefix=prefix, session_s=3.0)
    runner = Runner(
        app,
        kafka=kafka,
        quarantine_topic=names.quarantine,
        encode_quarantine=quarantine.encode,
        now=now,
    )
    order, link, echo = toy.stages(names)
    runner.bind(order)
    runner.bind(link)
    runner.bind(echo)

    async def look() -> Sequence[Output]:
        print(f"heard until {await runner.heard_until(order, now())}", flush=True)
        return ()

    runner.every(0.3, "heard", look)
    run_worker(app, kafka=kafka)


if __name__ == "__main__":
    main()
