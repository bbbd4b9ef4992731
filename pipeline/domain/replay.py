"""Replay: a stage's state found again from what the stage read and what it sent.

A stage is a fold, so its state follows from its inputs and their order. Kafka keeps the order of each topic and none
between two of them; what the stage sent tells which order it was. The rules:

1. Inputs of one topic stay in their order. Between topics the broker's times propose an order, and outputs decide: an
   order counts when it leads to exactly the outputs that were sent.
2. What was sent twice counts once, by its identity, as every reader of it does.
3. An input that the stage cannot carry on changes nothing: it is in quarantine.
4. Where no order leads to what was sent (another policy, another release, topics that were written to by a stranger),
   the times decide, and the first difference is told with both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pipeline.domain.errors import UnbrokenError

S = TypeVar("S")
E = TypeVar("E")
Out = TypeVar("Out")

PATIENCE_STEPS: Final = 20
"""Steps tried per input before the times decide. A statement's place is found among the few inputs around it."""
SHOWN: Final = 200
"""Characters of a value in a difference."""


class Input(NamedTuple, Generic[E]):
    """One input of a key: the broker's time of it, what it is, and whether the state to be found must hold it."""

    at_ms: int
    event: E
    wanted: bool = True


class Mark(NamedTuple):
    """An output as far as replay compares it: which one it is, and what it says."""

    identity: Hashable
    content: Hashable = None


class Contradiction(NamedTuple):
    """Output ``number`` of a key is not what was sent there."""

    number: int
    sent: Mark
    replayed: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed(Generic[S, Out]):
    """``unsent``: outputs of wanted inputs that are not among the sent ones. ``taken``: inputs used, per topic."""

    state: S
    taken: tuple[int, ...]
    unsent: tuple[Out, ...] = ()
    contradiction: Contradiction | None = None


@dataclass(slots=True)
class _Frame(Generic[S]):
    """A point of the search: how much of each queue is used, the state then, how many outputs, which queues are untried."""

    used: tuple[int, ...]
    state: S
    outputs: int
    untried: list[int] = field(default_factory=list)


def replay(
    state: S,
    step: Callable[[S, E], tuple[S, Sequence[Out]]],
    queues: Sequence[Sequence[Input[E]]],
    sent: Sequence[Mark],
    mark: Callable[[Out], Mark],
) -> Replayed[S, Out]:
    """Fold every wanted input of *queues* (one per topic, in order) into *state*, in an order that leads to *sent*.

    An input that is not wanted is folded only if it comes before a wanted one, or *sent* holds what follows from it.
    """
    once: dict[Hashable, Mark] = {}
    for each in sent:
        once.setdefault(each.identity, each)
    search = _Search(step, queues, tuple(once.values()), mark)
    found = search.run(state, search.matches)
    if found is None:
        first = search.furthest
        found = search.run(state, lambda _number, _output: True)
        assert found is not None  # without a comparison the first order tried is taken
        return Replayed(state=found.state, taken=found.used, contradiction=first)
    return Replayed(state=found.state, taken=found.used, unsent=tuple(search.outputs[len(once) :]))


class _Search(Generic[S, E, Out]):
    """Depth first over the orders of the queues, the broker's times first."""

    def __init__(
        self,
        step: Callable[[S, E], tuple[S, Sequence[Out]]],
        queues: Sequence[Sequence[Input[E]]],
        sent: Sequence[Mark],
        mark: Callable[[Out], Mark],
    ) -> None:
        self._step = step
        self._queues = queues
        self._sent = sent
        self._mark = mark
        self._wanted = tuple(max((n + 1 for n, each in enumerate(queue) if each.wanted), default=0) for queue in queues)
        self.outputs: list[Out] = []
        self.furthest: Contradiction | None = None

    def matches(self, number: int, output: Out) -> bool:
        """Whether *output* is what was sent as number *number*; nothing was sent beyond the end."""
        if number >= len(self._sent):
            return True
        sent, found = self._sent[number], self._mark(output)
        if sent == found:
            return True
        if self.furthest is None or number > self.furthest.number:
            self.furthest = Contradiction(number, sent, found)
        return False

    def run(self, state: S, accepts: Callable[[int, Out], bool]) -> _Frame[S] | None:
        self.outputs = []
        frames = [self._frame(tuple(0 for _ in self._queues), state)]
        patience = PATIENCE_STEPS * (1 + sum(map(len, self._queues)))
        while frames and patience:
            frame = frames[-1]
            del self.outputs[frame.outputs :]
            if self._is_done(frame):
                return frame
            if not frame.untried:
                frames.pop()
                continue
            patience -= 1
            queue = frame.untried.pop(0)
            after, outputs = self._take(frame, queue)
            if all(accepts(frame.outputs + number, output) for number, output in enumerate(outputs)):
                if not frame.untried:
                    frames.pop()  # nothing is left to try here, so nothing comes back to it
                self.outputs += outputs
                used = tuple(n + (number == queue) for number, n in enumerate(frame.used))
                frames.append(self._frame(used, after))
        return None

    def _frame(self, used: tuple[int, ...], state: S) -> _Frame[S]:
        heads = [
            (queue[n].at_ms, number)
            for number, (queue, n) in enumerate(zip(self._queues, used, strict=True))
            if n < len(queue)
        ]
        return _Frame(used, state, len(self.outputs), [number for _, number in sorted(heads)])

    def _is_done(self, frame: _Frame[S]) -> bool:
        """All that is wanted is in, and all that was sent followed from it or nothing is left it could follow from."""
        if any(n < wanted for n, wanted in zip(frame.used, self._wanted, strict=True)):
            return False
        exhausted = all(n == len(queue) for n, queue in zip(frame.used, self._queues, strict=True))
        return exhausted or frame.outputs >= len(self._sent)

    def _take(self, frame: _Frame[S], queue: int) -> tuple[S, Sequence[Out]]:
        try:
            return self._step(frame.state, self._queues[queue][frame.used[queue]].event)
        except UnbrokenError as exc:
            if exc.retryable:
                raise
            return frame.state, ()


class Difference(NamedTuple):
    """Where two states differ; a side that has nothing there is empty."""

    place: str
    running: str
    rebuilt: str


def differences(running: Any, rebuilt: Any) -> tuple[Difference, ...]:
    """Every place at which two states, as JSON values, are not the same."""
    return tuple(_differences("", running, rebuilt))


def _differences(place: str, running: Any, rebuilt: Any) -> Iterator[Difference]:
    if isinstance(running, Mapping) and isinstance(rebuilt, Mapping):
        for name in sorted({*running, *rebuilt}):
            yield from _differences(f"{place}.{name}" if place else name, running.get(name), rebuilt.get(name))
    elif isinstance(running, list | tuple) and isinstance(rebuilt, list | tuple) and len(running) == len(rebuilt):
        for number, (one, other) in enumerate(zip(running, rebuilt, strict=True)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif running != rebuilt:
        yield Difference(place, _shown(running), _shown(rebuilt))


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:SHOWN]
