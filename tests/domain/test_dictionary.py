from __future__ import annotations

import pytest

from pipeline.domain.dictionary import BY_KEY, FIELDS, MATTERS_LIST, OF_ARTICLE_9, heading, key_of


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("案件名称", "case_name"),
        (" 当事人姓名或单位名称 ", "party_name"),
        ("Case_Name", "case_name"),
        ("记录场合", "place"),
        ("自定义项", "自定义项"),
    ],
)
def test_a_heading_is_read_in_chinese_or_as_its_key_or_is_the_units_own(heading: str, key: str) -> None:
    assert key_of(heading) == key


def test_no_heading_stands_for_two_fields() -> None:
    names = [name for field in FIELDS for name in (field.key, *field.headings)]

    assert sorted(names) == sorted(set(names))


def test_the_published_list_of_matters_is_read_as_it_stands() -> None:
    published = [
        "序号",
        "执法类别",
        "执法环节",
        "记录方式",
        "记录场合",
        "记录内容",
        "开始记录时间",
        "记录过程",
        "结束记录时间",
        "记录部门",
        "记录人员",
    ]

    assert tuple(map(key_of, published)) == MATTERS_LIST
    assert [heading(key) for key in MATTERS_LIST] == published


def test_the_fields_of_article_9_say_so_and_the_date_of_storage_is_never_typed() -> None:
    assert {BY_KEY[key].article for key in (*OF_ARTICLE_9, "stored_date")} == {9}
    assert [key for key in (*OF_ARTICLE_9, "stored_date") if BY_KEY[key].computed] == ["stored_date"]
