"""Replay finds the order in which inputs were folded, from what was sent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import Malformed, StoreUnavailable
from pipeline.domain.replay import Contradiction, Difference, Input, Mark, differences, replay

State = tuple[str, ...]
NOTHING: State = ()


def remember(state: State, event: str) -> tuple[State, Sequence[str]]:
    """Says everything it hears after what it heard before; only keeps what begins with a ``q``."""
    if event.startswith("bad"):
        raise Malformed(event)
    after = (*state, event)
    return after, () if event.startswith("q") else ["+".join(after)]


def mark(output: str) -> Mark:
    return Mark(output.count("+"), output)


def queue(*events: str, at: int = 0, wanted: int = 99) -> list[Input[str]]:
    return [Input(at + number, event, number < wanted) for number, event in enumerate(events)]


def sent(*events: str) -> list[Mark]:
    """What is sent when *events* were folded in this order."""
    state: State = ()
    marks: list[Mark] = []
    for event in events:
        state, outputs = remember(state, event)
        marks += map(mark, outputs)
    return marks


def test_one_topic_is_folded_in_its_order() -> None:
    found = replay(NOTHING, remember, [queue("a", "b", "c")], sent("a", "b", "c"), mark)

    assert found.state == ("a", "b", "c")
    assert (found.taken, found.unsent, found.contradiction) == ((3,), (), None)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(-20, 20))
def test_the_order_between_two_topics_is_the_one_that_led_to_what_was_sent(from_first: list[bool], skew: int) -> None:
    first = [f"{'q' if number % 3 == 0 else 'a'}{number}" for number, one in enumerate(from_first) if one]
    second = [f"b{number}" for number, one in enumerate(from_first) if not one]
    left, right = iter(first), iter(second)
    order = [next(left) if one else next(right) for one in from_first]

    found = replay(NOTHING, remember, [queue(*first, at=skew), queue(*second)], sent(*order), mark)

    assert found.contradiction is None
    assert sorted(found.state) == sorted(order)
    assert sent(*found.state) == sent(*order)


def test_what_was_sent_twice_counts_once() -> None:
    twice = [*sent("a", "b"), *sent("a", "b", "c")]

    found = replay(NOTHING, remember, [queue("a", "b", "c")], twice, mark)

    assert (found.state, found.contradiction) == (("a", "b", "c"), None)


def test_an_input_that_cannot_be_carried_on_changes_nothing() -> None:
    found = replay(NOTHING, remember, [queue("a", "bad", "b")], sent("a", "b"), mark)

    assert (found.state, found.taken) == (("a", "b"), (3,))


def test_an_error_that_may_pass_is_no_answer() -> None:
    def away(state: State, event: str) -> tuple[State, Sequence[str]]:
        raise StoreUnavailable(event)

    with pytest.raises(StoreUnavailable):
        replay(NOTHING, away, [queue("a")], (), mark)


@pytest.mark.parametrize(("of_b_sent", "state"), [(0, ("a",)), (1, ("a", "b")), (2, ("a", "b", "c"))])
def test_an_input_that_is_not_wanted_is_folded_if_its_outputs_were_sent(of_b_sent: int, state: State) -> None:
    told = sent("a", "b", "c")[: 1 + of_b_sent]

    found = replay(NOTHING, remember, [queue("a", "b", "c", wanted=1)], told, mark)

    assert (found.state, found.unsent) == (state, ())


def test_outputs_of_wanted_inputs_that_were_not_sent_are_named() -> None:
    found = replay(NOTHING, remember, [queue("a", "b")], sent("a"), mark)

    assert (found.state, found.unsent) == (("a", "b"), ("a+b",))


def test_where_no_order_leads_to_what_was_sent_the_times_decide_and_the_difference_is_told() -> None:
    told = [*sent("a"), Mark(1, "a+x")]

    found = replay(NOTHING, remember, [queue("a", "b"), queue("c", at=1)], told, mark)

    assert found.state == ("a", "b", "c")
    assert found.contradiction == Contradiction(1, Mark(1, "a+x"), Mark(1, "a+b"))


def test_differing_states_are_told_by_place_with_both_sides() -> None:
    running = {"position": 3, "heads": {"a": {"seq": 1}, "b": {"seq": 0}}, "said": [1, 2]}
    rebuilt = {"position": 4, "heads": {"a": {"seq": 2}, "c": {"seq": 0}}, "said": [1, 3]}

    assert differences(running, rebuilt) == (
        Difference("heads.a.seq", "1", "2"),
        Difference("heads.b", "{'seq': 0}", ""),
        Difference("heads.c", "", "{'seq': 0}"),
        Difference("position", "3", "4"),
        Difference("said[1]", "2", "3"),
    )
    assert differences(running, running) == ()
