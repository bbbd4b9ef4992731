"""The short words on the dashboards, in English and Chinese: label values, series, units, states, and what stands around the panels.

What the product itself calls a cause, a state or a finding is called the same here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dashboards.words import Text
from pipeline.cli.check_chinese import CHINESE
from pipeline.cli.check_english import ENGLISH
from pipeline.cli.terms import TERMS

LABELS: Final[Mapping[str, Mapping[str, Text]]] = {
    "age_band": {
        "0_4h": Text("up to 4 h", "4 小时内"),
        "4_12h": Text("4 to 12 h", "4～12 小时"),
        "12_20h": Text("12 to 20 h", "12～20 小时"),
        "20_24h": Text("20 to 24 h", "20～24 小时"),
        "over_24h": Text("over 24 h", "超过 24 小时"),
    },
    "outcome": {
        "met": Text("met", "按时"),
        "missed": Text("missed", "逾期"),
        "late": Text("late", "逾期补交"),
    },
    "cause": {cause: Text(said, TERMS["zh"].causes[cause]) for cause, said in TERMS["en"].causes.items()},
    "shortfall": {
        "retention": Text("lock ends too early", "锁定期限不足"),
        "hold": Text("hold taken off", "留存令被撤"),
        "missing": Text("not there", "缺失"),
        "unreadable": Text("cannot be read", "无法读取"),
        "unknown_class": Text("class not in the policy", "保管期限类别未知"),
    },
    "source_kind": {
        "body_camera": Text("body camera", "执法记录仪"),
        "cctv": Text("service-hall camera", "监控摄像机"),
        "voice_recorder": Text("voice recorder", "录音笔"),
        "still_camera": Text("still camera", "照相机"),
        "camcorder": Text("camcorder", "摄像机"),
    },
    "state": {state: Text(said, TERMS["zh"].gaps[state]) for state, said in TERMS["en"].gaps.items()},
    "gap_class": {
        "R1": Text("R1 fault", "R1 故障"),
        "R2": Text("R2 damage", "R2 损坏"),
        "R3": Text("R3 weather", "R3 恶劣天气"),
        "R4": Text("R4 battery", "R4 电量"),
        "R5": Text("R5 space", "R5 存储空间"),
        "R6": Text("R6 obstruction", "R6 阻挠"),
        "R7": Text("R7 change of place", "R7 变换地点"),
        "R9": Text("R9 other", "R9 其他"),
        "planned": Text("planned", "计划内"),
        "unexplained": Text("unexplained", "未说明"),
    },
    "finding": {kind: Text(words.name, CHINESE.kinds[kind].name) for kind, words in ENGLISH.kinds.items()},
    "reason": {
        "malformed": Text("not as its schema", "不符合格式"),
        "unsupported_version": Text("unknown version", "版本不支持"),
        "wrong_key": Text("wrong key", "键不符"),
        "too_large": Text("too large", "过大"),
        "object_missing": Text("file not in the store", "存储中无此文件"),
        "object_differs": Text("other bytes in the store", "存储内容不符"),
        "statement_differs": Text("an id used for two statements", "编号重复而内容不同"),
        "not_locked": Text("store did not lock", "存储未锁定"),
        "refused": Text("refused by the store", "存储拒绝"),
        "store_error": Text("store failed", "存储出错"),
        "media_unreadable": Text("media unreadable", "媒体无法读取"),
        "media_error": Text("media failed", "媒体出错"),
        "probe_died": Text("crashed its reader", "读取进程崩溃"),
        "misconfigured": Text("misconfigured", "配置有误"),
        "history_missing": Text("history missing", "历史缺失"),
        "state_unreadable": Text("state unreadable", "状态无法读取"),
        "chain_broken": Text("chain broken", "链断裂"),
        "unbroken_error": Text("other error", "其他错误"),
    },
    "stage": {
        "probe": Text("probe", "读取检验"),
        "continuity": Text("continuity", "连续性判定"),
        "chain": Text("chain", "成链"),
        "checkpoint": Text("checkpoint", "检查点"),
        "keeping": Text("keeping", "保管"),
        "stitch": Text("stitch", "成册"),
        "archive": Text("archive", "归档"),
        "deadline": Text("deadline", "时限"),
        "breach": Text("breach", "逾期留证"),
    },
}
"""What a legend shows instead of a label's value; values that are not here are shown as they are."""

NONE: Final = Text("none", "无")
"""The label value of the zero that stands for all of them."""

LEGENDS: Final[Mapping[str, Text]] = {
    "on_duty": Text("on duty", "应录制"),
    "silent": Text("silent", "无数据"),
    "places": Text("places", "可用进程"),
    "files": Text("files", "文件"),
    "half": Text("half", "一半"),
    "most": Text("95 of 100", "95%"),
}
"""Series that no label names."""

COLOURS: Final[Mapping[str, Text]] = {
    "green": Text("green", "绿色"),
    "orange": Text("orange", "橙色"),
    "red": Text("red", "红色"),
}
UNITS: Final[Mapping[str, Text]] = {
    "d": Text("d", "天"),
    "h": Text("h", "小时"),
    "min": Text("min", "分钟"),
    "s": Text("s", "秒"),
}
THRESHOLDS: Final[Mapping[str, Text]] = {
    "below": Text("{colour} below {value}", "低于 {value} 为{colour}"),
    "from": Text("{colour} from {value}", "{value} 起为{colour}"),
    "shown": Text(" Colour: {all}.", "颜色：{all}。"),
    "dashed": Text(" Dashed line: {all}.", "虚线：{all}。"),
    "comma": Text(", ", "，"),
    "clock": Text(" Shown as hours:minutes:seconds.", "显示为 时:分:秒。"),
}
"""What is added to a panel's description from its thresholds and unit, so that the two never differ."""

STATES: Final[Mapping[str, Text]] = {
    "in_time": Text("✓ in time", "✓ 正常"),
    "under_4h": Text("▲ under 4 h", "▲ 不足4小时"),
    "under_1h": Text("▲▲ under 1 h", "▲▲ 不足1小时"),
    "missed": Text("✕ missed", "✕ 逾期"),
    "holds": Text("✓ yes", "✓ 是"),
    "broken": Text("✕ NOT PROVEN", "✕ 未证实"),
    "none_open": Text("✓ none open", "✓ 无待归档"),
    "nothing": Text("✓ none", "✓ 无"),
    "not_known": Text("not known", "未知"),
    "no_data": Text("? nobody reports", "？无人上报"),
    "not_yet": Text("not yet", "尚未进行"),
    "not_for_a_day": Text("none for a day", "一天以上没有"),
    "none": Text("✓ 0", "✓ 0"),
}
"""Values that are shown as words: meaning never hangs on colour alone."""

UI: Final[Mapping[str, Text]] = {
    "datasource": Text("Data source", "数据源"),
    "unit": Text("Unit", "单位"),
    "versions": Text("Another version runs", "版本变更"),
    "more": Text("Other dashboards", "其他看板"),
}
