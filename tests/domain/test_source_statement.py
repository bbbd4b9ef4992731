"""Statements about a source have one place and one spelling."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import get_args

import pytest

from pipeline.domain.annotation import AnnotationKind
from pipeline.domain.source_statement import KEPT, statement_at, statement_digest, statement_document, statement_key
from tests.builders import SOURCE, window

SAID = window(0, 1000)


def test_a_statement_lies_at_the_digest_of_its_bytes() -> None:
    digest = hashlib.sha256(statement_document(SAID)).hexdigest()

    assert statement_key(SAID) == f"statements/{SOURCE}/{digest}.json"
    assert statement_at(statement_key(SAID)) == (SOURCE, digest)
    assert json.loads(statement_document(SAID))["statement"]["annotation_id"] == SAID.annotation_id


def test_another_statement_lies_elsewhere() -> None:
    assert statement_digest(replace(SAID, made_by="officer-2")) != statement_digest(SAID)


@pytest.mark.parametrize("key", ["statements/hall-1/ab.json", "statements/" + "a" * 64 + ".json", "keeping/a/b/c.json"])
def test_no_other_key_is_taken_for_a_statements(key: str) -> None:
    assert statement_at(key) is None


def test_what_is_kept_are_kinds_of_annotations() -> None:
    assert set(KEPT) < set(get_args(AnnotationKind))
