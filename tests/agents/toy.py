"""Toy stages with the shape of the real ones: ``order`` folds two inputs into one stream per key, ``link`` chains it, and
``echo``, which keeps no state and does I/O, shares one of the inputs with ``order``.

A segment is ``{"key", "n"}`` and a note ``{"key", "note"}``; both count from 1 per key. A link names the one before it by
digest, so whoever reads the links can prove their order.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from pipeline.agents.runner import Headers, Output, Received, Stage
from pipeline.domain.errors import Malformed, StoreUnavailable

GENESIS = "0" * 64


@dataclass(frozen=True)
class Names:
    """Topics of one test, all under one prefix."""

    prefix: str

    @property
    def segments(self) -> str:
        return f"{self.prefix}.segments"

    @property
    def notes(self) -> str:
        return f"{self.prefix}.notes"

    @property
    def ordered(self) -> str:
        return f"{self.prefix}.ordered"

    @property
    def links(self) -> str:
        return f"{self.prefix}.links"

    @property
    def echoes(self) -> str:
        return f"{self.prefix}.echoes"

    @property
    def quarantine(self) -> str:
        return f"{self.prefix}.quarantine"

    @property
    def order_state(self) -> str:
        return f"{self.prefix}.order.state"

    @property
    def link_state(self) -> str:
        return f"{self.prefix}.link.state"

    @property
    def data(self) -> tuple[str, ...]:
        return (self.segments, self.notes, self.ordered, self.links, self.echoes, self.quarantine)

    @property
    def states(self) -> tuple[str, ...]:
        return (self.order_state, self.link_state)


Event = dict[str, Any]


@dataclass(frozen=True)
class Ordered:
    """State of ``order``: the last segment and note seen."""

    segment: int = 0
    note: int = 0


@dataclass(frozen=True)
class Chained:
    """State of ``link``: the chain's head and what is in it."""

    head: str = GENESIS
    links: int = 0
    segment: int = 0
    note: int = 0


def decode(topic: str, value: bytes | None, _headers: Headers) -> Event:
    try:
        event: Event = msgspec.json.decode(value or b"", type=dict)
        event["key"]
    except (msgspec.DecodeError, KeyError) as exc:
        raise Malformed(f"not an event of {topic}") from exc
    return event


def key(event: Event) -> str:
    return str(event["key"])


def kind_of(event: Event) -> str:
    return "segment" if "segment" in event else "note"


class Order:
    """``order``'s step; ``fail`` makes it misbehave on events that ask for it, once per process."""

    def __init__(self, out: str) -> None:
        self.out = out
        self.failed: set[tuple[str, int]] = set()

    def __call__(self, state: Ordered, received: Received[Event]) -> tuple[Ordered, Sequence[Output]]:
        event = received.event
        self._misbehave(event)
        kind = kind_of(event)
        number = event[kind]
        if number <= getattr(state, kind):
            return state, ()
        now = Ordered(**{**asdict(state), kind: number})
        return now, [Output(self.out, event["key"].encode(), msgspec.json.encode({"key": event["key"], kind: number}))]

    def _misbehave(self, event: Event) -> None:
        wish = event.get("fail")
        where = (event["key"], event.get("segment", 0))
        if wish == "poison":
            raise Malformed("poison")
        if wish and where not in self.failed:
            self.failed.add(where)
            raise StoreUnavailable("once") if wish == "store" else TypeError("a defect, once")


def link(out: str) -> Any:
    def step(state: Chained, received: Received[Event]) -> tuple[Chained, Sequence[Output]]:
        event = received.event
        kind = kind_of(event)
        number = event[kind]
        if number <= getattr(state, kind):
            return state, ()
        entry = {"key": event["key"], "i": state.links + 1, kind: number, "prev": state.head}
        head = hashlib.sha256(msgspec.json.encode(entry)).hexdigest()
        now = Chained(**{**asdict(state), "head": head, "links": state.links + 1, kind: number})
        return now, [Output(out, event["key"].encode(), msgspec.json.encode({**entry, "digest": head}))]

    return step


def echo(out: str) -> Any:
    async def step(state: None, received: Received[Event]) -> tuple[None, Sequence[Output]]:
        event = received.event
        await asyncio.sleep(event.get("takes_s", 0.001))
        return state, [Output(out, event["key"].encode(), msgspec.json.encode(event))]

    return step


def stages(names: Names) -> tuple[Stage[Ordered, Event], Stage[Chained, Event], Stage[None, Event]]:
    order = Stage(
        name="order",
        sources=(names.segments, names.notes),
        decode=decode,
        key=key,
        step=Order(names.ordered),
        initial=lambda _key: Ordered(),
        dump=asdict,
        load=lambda held: Ordered(**held),
        state_topic=names.order_state,
    )
    chain = Stage(
        name="link",
        sources=(names.ordered,),
        decode=decode,
        key=key,
        step=link(names.links),
        initial=lambda _key: Chained(),
        dump=asdict,
        load=lambda held: Chained(**held),
        state_topic=names.link_state,
    )
    echoing = Stage(
        name="echo",
        sources=(names.notes,),
        decode=decode,
        key=key,
        step=echo(names.echoes),
        initial=lambda _key: None,
        dump=lambda _state: None,
        load=lambda _held: None,
        state_topic=None,
    )
    return order, chain, echoing
