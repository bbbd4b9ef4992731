"""Chunks: a tree over an original's bytes, so that a part of it can be proven without the whole.

The bytes are cut into chunks of 4 MiB, the last one shorter. As in RFC 6962 section 2.1, a leaf is ``H(0x00 || chunk)``, a
node ``H(0x01 || left || right)``, the left side of n leaves being the greatest power of two below n; of no bytes at all the
root is ``H()``. A segment's link states the root.

A run of neighbouring chunks is proven by the roots of the subtrees that hold none of them, from left to right: with the
chunks themselves they give the root, and no other chunks at those places do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

CHUNK_BYTES: Final = 4 << 20


def leaf(chunk: bytes) -> bytes:
    """The leaf of one chunk."""
    return hashlib.sha256(b"\x00" + chunk).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree with *leaves*."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = _left(len(leaves))
    return _node(root(leaves[:middle]), root(leaves[middle:]))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _left(count: int) -> int:
    """How many of *count* leaves are on the left side."""
    return 1 << ((count - 1).bit_length() - 1)


def chunk_count(length: int) -> int:
    """How many chunks *length* bytes have."""
    return -(-length // CHUNK_BYTES)


def proof(leaves: Sequence[bytes], first: int, last: int) -> tuple[bytes, ...]:
    """What proves the chunks *first* to *last* of a file with *leaves*; raises ``ValueError`` for chunks it does not have."""
    if not 0 <= first <= last < len(leaves):
        raise ValueError(f"expected chunks within 0 to {len(leaves) - 1}, found {first} to {last}")
    return tuple(_beside(leaves, 0, first, last))


def _beside(leaves: Sequence[bytes], begin: int, first: int, last: int) -> Iterator[bytes]:
    """Roots of the greatest subtrees of *leaves*, the first of which is number *begin*, that hold none of the run."""
    end = begin + len(leaves) - 1
    if last < begin or end < first:
        yield root(leaves)
    elif begin < first or last < end:
        middle = _left(len(leaves))
        yield from _beside(leaves[:middle], begin, first, last)
        yield from _beside(leaves[middle:], begin + middle, first, last)


def proven_root(run: Sequence[bytes], first: int, count: int, beside: Sequence[bytes]) -> bytes | None:
    """The root of a file of *count* chunks of which *run* are the leaves from number *first* on, and *beside* is the proof;
    ``None`` if these do not fit together."""
    if not run or first < 0 or first + len(run) > count:
        return None
    left = list(beside)
    found = _rebuilt(run, first, 0, count, left)
    return None if left else found


def _rebuilt(run: Sequence[bytes], first: int, begin: int, count: int, left: list[bytes]) -> bytes | None:
    last, end = first + len(run) - 1, begin + count - 1
    if last < begin or end < first:
        return left.pop(0) if left else None
    if first <= begin and end <= last:
        return root(run[begin - first : end - first + 1])
    middle = _left(count)
    one = _rebuilt(run, first, begin, middle, left)
    other = _rebuilt(run, first, begin + middle, count - middle, left)
    return None if one is None or other is None else _node(one, other)
