from __future__ import annotations

import inspect

import pytest

from pipeline.domain import errors
from pipeline.domain.errors import Malformed, StoreError, UnbrokenError, UnsupportedVersion

FAMILY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
WORTH_REPEATING = {
    "StoreUnavailable",
    "StoreUntrusted",
    "StoreFull",
    "DiskFull",
    "AccessRefused",
    "SourceFileChanged",
    "BrokerUnavailable",
}


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_every_error_says_whether_repeating_may_help(kind: type[UnbrokenError]) -> None:
    assert issubclass(kind, UnbrokenError)
    assert kind.retryable == (kind.__name__ in WORTH_REPEATING)


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_next(kind: type[UnbrokenError]) -> None:
    assert (kind.__doc__ or "").strip()


def test_an_unknown_version_is_quarantined_like_anything_malformed() -> None:
    assert issubclass(UnsupportedVersion, Malformed)


def test_bad_input_is_not_mistaken_for_a_store_that_fails() -> None:
    assert not issubclass(Malformed, StoreError)
