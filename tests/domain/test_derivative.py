"""A derivative's document names both files and the digests that bind them, and is the same bytes each time."""

from __future__ import annotations

import json

from pipeline.domain.canonical import canonical
from pipeline.domain.derivative import (
    Copied,
    CopiedStream,
    Derivative,
    LeftOut,
    Piece,
    derivative_document,
    derived_key,
    document_key,
)
from pipeline.domain.payload import PayloadDigest
from tests.builders import object_ref, sha
from tests.wire.contract import validator

MADE = Derivative(
    original=object_ref("original"),
    derived=object_ref("derived"),
    copied=Copied(
        streams=(
            CopiedStream(
                kind="video",
                codec="h264",
                payload=PayloadDigest(units=3, sha256=sha("units"), parameter_sets_sha256=sha("sets")),
            ),
        ),
        left_out=(LeftOut(kind="audio", codec="pcm_alaw"),),
        init_bytes=800,
        pieces=(Piece(offset=800, size_bytes=5000, micros=6_000_000),),
        made_by="1/test",
    ),
)


def test_the_document_is_canonical_and_as_its_schema_says() -> None:
    data = derivative_document(MADE)

    value = json.loads(data)
    assert canonical(value) == data
    assert [error.message for error in validator("derivative.v1").iter_errors(value)] == []
    assert value["original"]["sha256"] == MADE.original.sha256


def test_documents_are_found_by_the_original_and_derivatives_by_themselves() -> None:
    digest = sha("original")

    assert document_key(digest) == f"playable/{digest[:2]}/{digest}.json"
    assert derived_key(digest) == f"sha256/{digest[:2]}/{digest}.mp4"
