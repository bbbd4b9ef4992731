"""Kafka: one broker that is its own controller (KRaft), from jars pinned in ``infra/kafka/pom.xml``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from infra.native.daemon import Daemon, StackError, listening, require_space
from infra.native.layout import ROOT, Layout
from infra.native.packages import java

_CLUSTER_ID = "dW5icm9rZW4tbG9jYWwtMQ"
"""22 characters of base64, as Kafka wants; the same each time, because a stack is its state folder."""

_LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
NEEDED_BYTES = 1 << 30
"""Free space asked for before the first start."""


def version() -> str:
    """The pinned version, or UNBROKEN_KAFKA_VERSION for trying others."""
    pinned = re.search(r"<kafka.version>([^<]+)<", (ROOT / "infra/kafka/pom.xml").read_text())
    assert pinned
    return os.environ.get("UNBROKEN_KAFKA_VERSION") or pinned[1]


def daemons(layout: Layout) -> list[Daemon]:
    """The broker; nothing is written before its ``make``."""
    folder = layout.path("kafka")
    memory = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    command = (*_java(folder, *memory), "kafka.Kafka", str(folder / "server.properties"))
    return [
        Daemon(
            "kafka",
            command,
            folder,
            layout.kafka,
            lambda: listening(layout.kafka),
            also=(layout.kafka_controller,),
            make=lambda: _make(layout),
        )
    ]


def prepare(layout: Layout) -> list[Daemon]:
    """The broker, made and not started: for those who start and kill one of their own."""
    made = daemons(layout)
    made[0].make()
    return made


def _java(folder: Path, *options: str) -> tuple[str, ...]:
    return (java() or "java", *options, "-cp", f"{folder / f'lib-{version()}'}/*", _LOG_LEVEL)


def _make(layout: Layout) -> None:
    """Fetch the jars, write the properties, format the data folder once."""
    folder = layout.folder("kafka")
    formatted = folder / "data/meta.properties"
    if not formatted.exists():
        require_space(folder, NEEDED_BYTES, "kafka")
    _fetch(folder / f"lib-{version()}")
    written = folder / "server.properties"
    written.write_text(properties(layout, folder / "data"))
    if formatted.exists():
        return
    # A half-formatted folder holds nothing yet: meta.properties is what formatting writes.
    shutil.rmtree(folder / "data", ignore_errors=True)
    done = subprocess.run(
        [*_java(folder), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(written)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"kafka could not format its folder: {done.stdout[-400:]}{done.stderr[-400:]} ({folder})")


def _fetch(target: Path) -> None:
    if (target / "complete").exists():
        return
    shutil.rmtree(target, ignore_errors=True)
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(ROOT / "infra/kafka/pom.xml"), f"-Dkafka.version={version()}",
         "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(f"maven could not fetch kafka {version()}: {(done.stdout + done.stderr).strip()[-600:]}")
    (target / "complete").touch()


def properties(layout: Layout, data: Path) -> str:
    """The broker's settings; ``infra/compose.yaml`` has the same ones."""
    return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{layout.kafka_controller}
listeners=PLAINTEXT://127.0.0.1:{layout.kafka},CONTROLLER://127.0.0.1:{layout.kafka_controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{layout.kafka}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
offsets.retention.minutes=20160
log.segment.bytes=67108864
"""
