"""A stage as the runner sees it: where its inputs come from, how one is understood, and what is done with it.

A stage knows nothing of Kafka groups, retries or offsets; it says what an event is (``decode``), whose history it belongs
to (``key``) and what follows from it (``step``). The runner does the rest, the same way for every stage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pipeline.domain.quarantine import Quarantined

S = TypeVar("S")
E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)

Headers = tuple[tuple[str, bytes], ...]


class Output(NamedTuple):
    """One record to be written. ``topic`` is the full name on the broker; ``key`` the Kafka key."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Received(Generic[E_co]):
    """An event and where it stood. ``topic`` is the full name on the broker."""

    event: E_co
    topic: str
    partition: int
    offset: int


Outcome = tuple[S, Sequence[Output]]


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[S, E]):
    """What the runner needs to carry a stage.

    ``decode(topic, value, headers)`` raises :class:`~pipeline.domain.errors.Malformed` for bad bytes (``None`` included).
    ``key(event)`` names the history the event belongs to and must equal the record's Kafka key.
    ``step(state, received)`` returns the next state and what follows; equal arguments must give equal results. It may be
    a coroutine function that does I/O, and is then called once at a time per partition (all at once when the stage keeps
    no state). It must not change the state it was given.
    ``state_topic`` is ``None`` for a stage without state: ``initial``, ``dump`` and ``load`` are then not called and the
    state is ``None``. ``dump`` returns a JSON-able value and ``load`` is its inverse.
    ``state_format``: raised when records of the stage's state no longer mean what they did; a record of another number is
    not read but rebuilt.
    ``batch``: how many waiting inputs may be carried together; ``None`` lets the runner choose.
    """

    name: str
    sources: tuple[str, ...]
    decode: Callable[[str, bytes | None, Headers], E]
    key: Callable[[E], str]
    step: Callable[[S, Received[E]], Outcome[S] | Awaitable[Outcome[S]]]
    initial: Callable[[str], S]
    dump: Callable[[S], Any]
    load: Callable[[Any], S]
    state_topic: str | None
    batch: int | None = None
    state_format: int = 1


class Meter(Protocol):
    """What the runner reports; the method names are those of the metrics catalogue."""

    def events(self, stage: str, result: str, count: int) -> None:
        """*count* inputs ended as *result*: ``done``, ``replayed`` or ``quarantined``."""
        ...

    def retried(self, stage: str) -> None:
        """An attempt failed and will be repeated."""
        ...

    def retrying(self, stage: str, partitions: int) -> None:
        """How many partitions of the stage wait on an error right now."""
        ...

    def quarantined(self, reason: str) -> None:
        """An input was set aside; *reason* is one of a few words."""
        ...

    def state_behind(self, stage: str) -> None:
        """A partition's state was older than the work already committed."""
        ...

    def carried(self, stage: str, seconds: float) -> None:
        """One batch took *seconds* through the stage, waiting included."""
        ...

    def taken(self, partitions: Mapping[str, int]) -> None:
        """The worker was given partitions and has their states: so many of each stage."""
        ...


class Unmetered:
    """The meter that counts nothing."""

    def events(self, stage: str, result: str, count: int) -> None:
        pass

    def retried(self, stage: str) -> None:
        pass

    def retrying(self, stage: str, partitions: int) -> None:
        pass

    def quarantined(self, reason: str) -> None:
        pass

    def state_behind(self, stage: str) -> None:
        pass

    def carried(self, stage: str, seconds: float) -> None:
        pass

    def taken(self, partitions: Mapping[str, int]) -> None:
        pass


QuarantineEncoder = Callable[[Quarantined, Headers], bytes]
