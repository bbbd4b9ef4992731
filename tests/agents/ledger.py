"""The ledger's pure stages on topics in memory: what workers would leave behind on the broker, one partition of it."""

from __future__ import annotations

from typing import Any, Final

from pipeline.agents.restore import Partition, Row, pure_stages
from pipeline.agents.stage import Received
from pipeline.agents.state_log import Loaded, Record, encode_record
from pipeline.domain.errors import Malformed, StatementDiffers
from pipeline.settings import Settings
from pipeline.wire import codec, topics
from pipeline.wire.events import Event
from tests.builders import SALT_KEY, policy

SETTINGS: Final = Settings(topic_prefix="t")
STAGES: Final = pure_stages(SETTINGS, policy(), SALT_KEY)


class Ledger:
    """``say`` puts an event on its topic; ``carry`` lets every stage fold what it has not folded, topic by topic."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {SETTINGS.topic(topic.name): [] for topic in topics.DATA}
        self.logs = {name: Loaded() for name in STAGES}
        self.committed: dict[str, int] = {}
        self._done: dict[tuple[str, str], int] = {}

    def say(self, *events: Event, at_ms: int | None = None) -> None:
        for event in events:
            self._append(
                codec.event_topic(event).name, codec.key(event), codec.encode(event), codec.headers(event), at_ms
            )

    def put(self, topic: str, value: bytes, key: bytes = b"hall-1") -> None:
        self._append(topic, key, value, (), None)

    def _append(self, topic: str, key: bytes, value: bytes, headers: Any, at_ms: int | None) -> None:
        rows = self.rows[SETTINGS.topic(topic)]
        rows.append(Row(len(rows), len(rows) if at_ms is None else at_ms, key, value, headers))

    def carry(self) -> None:
        """As a worker that is stopped in good order afterwards."""
        for name, stage in STAGES.items():
            for topic in stage.sources:
                for row in self.rows[topic][self._done.get((name, topic), 0) :]:
                    self._fold(name, topic, row)
                self._done[name, topic] = self.committed[topic] = len(self.rows[topic])

    def _fold(self, name: str, topic: str, row: Row) -> None:
        stage, log = STAGES[name], self.logs[name]
        step: Any = stage.step
        try:
            event = stage.decode(topic, row.value, row.headers)
            key = stage.key(event)
            held = log.records.get(key) or Record(stage.dump(stage.initial(key)), {}, 0, 0, ())
            state, outputs = step(stage.load(held.state), Received(event, topic, 0, row.offset))
        except (Malformed, StatementDiffers):
            return
        applied = {**held.applied, topic: row.offset}
        log.add(key.encode(), encode_record(Record(stage.dump(state), applied, held.version + 1, 0, tuple(outputs))))
        for each in outputs:
            self._append(each.topic.removeprefix("t."), each.key, each.value, each.headers, row.at_ms)

    def partition(self, begins: int = 0) -> Partition:
        """What the broker shows now; its topics begin at offset *begins*."""
        return Partition(
            number=0, rows=self.rows, begins=dict.fromkeys(self.rows, begins), committed=dict(self.committed)
        )
