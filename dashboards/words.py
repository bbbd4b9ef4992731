"""The message catalogue of the dashboards: titles and descriptions of boards and panels, in English and Chinese.

A panel's description says what the number means, which article asks for it, and when it is bad; nobody should need the
source to understand a panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


class Text(NamedTuple):
    """One text in both languages."""

    en: str
    zh: str

    def into(self, language: Language) -> str:
        """The text in *language*."""
        return self.en if language == "en" else self.zh


BOARDS: Final[Mapping[str, tuple[Text, Text]]] = {
    "wall": (
        Text("Unbroken: Wall", "Unbroken：总览大屏"),
        Text(
            "Six numbers to be read across a room, and the last day of every unit.",
            "六个关键数字与各单位近二十四小时状态，可远距离观看。",
        ),
    ),
    "deadlines": (
        Text("Unbroken: Deadlines", "Unbroken：归档时限"),
        Text(
            "What must be archived, by when, and what kept it (article 9).",
            "哪些记录须归档、何时到期、因何延误（第九条）。",
        ),
    ),
    "completeness": (
        Text("Unbroken: Completeness", "Unbroken：完整性"),
        Text(
            "What is missing in the recordings, and whether anybody said why (article 8).",
            "记录缺失了什么、是否已说明原因（第八条）。",
        ),
    ),
    "pipeline": (
        Text("Unbroken: Pipeline", "Unbroken：处理流程"),
        Text(
            "What waits, where, on what; and whether the workers are well.",
            "何处在等待、因何等待，以及各工作进程是否正常。",
        ),
    ),
    "store": (
        Text("Unbroken: Store and trust", "Unbroken：存储与可信"),
        Text(
            "Whether what is archived is locked, whole and has room (articles 12 and 13).",
            "归档内容是否锁定、完整，空间是否充足（第十二、十三条）。",
        ),
    ),
}
"""Title and subtitle of each board."""

PANELS: Final[Mapping[str, tuple[Text, Text]]] = {
    # -- wall
    "next_deadline": (
        Text("Next deadline in", "距下一个归档时限"),
        Text(
            "Time until the next recording must be archived with its case data (article 9: 24 hours).",
            "距下一条记录必须完成归档并填写案件信息的时间（第九条：二十四小时）。",
        ),
    ),
    "at_risk": (
        Text("Due within 4 h", "4小时内到期"),
        Text(
            "Recordings not archived and less than 4 hours from their deadline (article 9). Each can still be saved.",
            "距归档时限不足四小时且尚未归档的记录数（第九条），仍可补救。",
        ),
    ),
    "missed_today": (
        Text("Missed, last 24 h", "近24小时逾期"),
        Text(
            "Recordings whose deadline passed within the last 24 hours without their being archived (article 9). A miss stays recorded for good.",
            "近二十四小时内超过时限仍未归档的记录数（第九条）。逾期记录永久保留。",
        ),
    ),
    "unexplained": (
        Text("Gaps unexplained", "未说明的中断"),
        Text(
            "Interruptions of ended recordings for which nobody has given a reason yet (article 8). `unbroken gaps --unexplained` names them.",
            "已结束记录中尚无人说明原因的中断数（第八条）。可用 `unbroken gaps --unexplained` 查看。",
        ),
    ),
    "not_arrived": (
        Text("Expected, not arrived", "应到未到"),
        Text(
            "Recordings that must exist, because a device was issued, a session announced or a camera has its hours, and of which nothing has arrived (article 9).",
            "因设备已领用、已登记或处于摄像时段而应当存在、但尚未收到任何文件的记录数（第九条）。",
        ),
    ),
    "silent": (
        Text("Cameras silent", "无数据摄像机"),
        Text(
            "Cameras that have to record now by their schedule and have sent nothing for longer than it allows (article 8).",
            "按时段应录制、却超过允许时间没有数据的摄像机数（第八条）。",
        ),
    ),
    "silent_minutes": (
        Text("Cameras silent, minutes so far", "摄像机无数据已持续时间"),
        Text(
            "Minutes for which the cameras that are silent now have been so, time on duty alone, by unit (article 8).",
            "当前无数据的摄像机在应录制时段内已持续的分钟数，按单位（第八条）。",
        ),
    ),
    "on_duty": (
        Text("Cameras on duty", "应录制的摄像机"),
        Text(
            "Cameras that have to record now by their schedule, planned pauses left out, and how many of them are silent (article 8).",
            "当前按时段应录制的摄像机数（不含计划内暂停），及其中无数据的数量（第八条）。",
        ),
    ),
    "locks": (
        Text("Archive locked", "档案已锁定"),
        Text(
            "Whether the store, when last tried, refused to delete what is locked in it or to shorten its lock (article 13). “Not proven”: it did not refuse, or it was not tried. Then nothing is archived; `unbroken doctor worm` says more.",
            "最近一次检验中存储是否拒绝删除已锁定内容、缩短锁定期限（第十三条）。“未证实”：未拒绝或尚未检验，此时不归档任何记录；详见 `unbroken doctor worm`。",
        ),
    ),
    "unit_states": (
        Text("Deadlines by unit, 24 hours", "各单位归档时限（近24小时）"),
        Text(
            "Each unit's deadlines over the last 24 hours (article 9): in time; under 4 hours; under 1 hour; missed within the hour before. A blank means that nobody was watching.",
            "各单位近二十四小时的归档时限状态（第九条）：正常；不足四小时；不足一小时；一小时内有逾期。空白表示当时无人监看。",
        ),
    ),
    "units_now": (
        Text("Deadlines by unit, now", "各单位归档时限（当前）"),
        Text(
            "Each unit's deadlines now (article 9): in time; one under 4 hours away; under 1 hour; one missed within the last hour.",
            "各单位当前归档时限状态（第九条）：正常；不足四小时；不足一小时；一小时内有逾期。",
        ),
    ),
    # -- deadlines
    "by_age": (
        Text("Not archived, by age", "未归档记录（按时长）"),
        Text(
            "Recordings not archived, by time since their end (article 9). The band 20 to 24 hours is what will be missed next.",
            "未归档记录按结束后经过的时间分布（第九条）。二十至二十四小时一档即将逾期。",
        ),
    ),
    "next_by_unit": (
        Text("Next deadline of each unit", "各单位下一个时限"),
        Text(
            "Time until each unit's next deadline (article 9).",
            "各单位距下一个归档时限的时间（第九条）。",
        ),
    ),
    "oldest": (
        Text("Oldest not archived", "最早的未归档记录"),
        Text(
            "Time since the end of the oldest recording that is not archived (article 9: at most 24 hours).",
            "最早一条未归档记录结束后经过的时间（第九条：不超过二十四小时）。",
        ),
    ),
    "outcomes": (
        Text("Deadlines decided, per hour", "每小时判定的时限"),
        Text(
            "Deadlines by how they ended in the hour before (article 9): met; missed; late, that is completed after the miss.",
            "前一小时内归档时限的结果（第九条）：按时；逾期；逾期补交。",
        ),
    ),
    "causes": (
        Text("Missed by cause, per day", "每日逾期原因"),
        Text(
            "Missed deadlines of the day before by the first condition that did not hold (article 9): who has to be asked.",
            "前一天逾期记录按首个未满足的条件分类（第九条），即应向谁了解情况。",
        ),
    ),
    "latency": (
        Text("Time from end to archive", "结束至归档的时间"),
        Text(
            "How long recordings take from their end to their receipt (article 9: under 24 hours), over the hour before: half are faster than the lower line, 95 of 100 faster than the upper.",
            "前一小时内记录从结束到取得归档回执的时间（第九条：二十四小时内）：下线为一半、上线为百分之九十五的记录所用时间。",
        ),
    ),
    "latency_map": (
        Text("Time from end to archive, spread", "归档时间分布"),
        Text(
            "How many recordings took how long from end to receipt (article 9). A band that climbs over the day is a queue.",
            "各时段归档用时的分布（第九条）。色带上移表示正在积压。",
        ),
    ),
    "objective_a": (
        Text("Archived in time, 3 days", "三日按时归档率"),
        Text(
            "Share of decided deadlines that were met over three days (article 9). The objective is 99.9 %.",
            "三日内已判定时限中按时归档的比例（第九条），目标为 99.9 %。",
        ),
    ),
    "objective_b": (
        Text("Within 4 h, last 6 hours", "四小时内归档率"),
        Text(
            "Share of recordings archived within 4 hours after they had ended and begun to arrive, over six hours: our own early warning. The objective is 99 %.",
            "六小时内结束并收到后四小时内归档的记录比例，为内部预警指标，目标为 99 %。",
        ),
    ),
    "tracker": (
        Text("Deadlines checked, ago", "距最近一次时限检查"),
        Text(
            "Time since a worker with all deadlines loaded looked at them. Over five minutes, the numbers beside are old (article 9).",
            "距工作进程最近一次检查全部时限的时间。超过五分钟则旁列数字已过时（第九条）。",
        ),
    ),
    # -- completeness
    "covered": (
        Text("Share of time recorded", "录制时间占比"),
        Text(
            "Of the time that ended recordings should cover, the share they do cover (article 8), over the range shown above.",
            "所选时段内已结束记录应覆盖时间中实际覆盖的比例（第八条）。",
        ),
    ),
    "standing": (
        Text("Gaps by reason, now", "当前中断（按原因）"),
        Text(
            "Interruptions of remembered recordings by the reason given (article 8: R1 fault, R2 damage, R3 weather, R4 battery, R5 space, R6 obstruction, R7 change of place, R9 other).",
            "近期记录的中断按已说明的原因分类（第八条：R1 故障、R2 损坏、R3 恶劣天气、R4 电量、R5 存储空间、R6 阻挠、R7 变换地点、R9 其他）。",
        ),
    ),
    "unexplained_by_unit": (
        Text("Unexplained, by unit", "各单位未说明的中断"),
        Text(
            "Interruptions nobody has explained, by the unit that has to be asked (article 8).",
            "各单位尚未说明原因的中断数（第八条）。",
        ),
    ),
    "gap_minutes": (
        Text("Missing minutes, per hour", "每小时缺失分钟数"),
        Text(
            "Length of the gaps of recordings that ended in the hour before (article 8), explained at that time or not.",
            "前一小时结束的记录中断总时长（第八条），按当时是否已说明区分。",
        ),
    ),
    "findings": (
        Text("Found in files, per hour", "每小时文件发现"),
        Text(
            "What was found in and between files in the hour before, the ten most frequent (article 8). docs/continuity.md explains each word.",
            "前一小时在文件内及文件间发现的情况，取最多的十类（第八条）。词义见 docs/continuity.md。",
        ),
    ),
    "clocks": (
        Text("Device clocks wrong, per hour", "每小时设备时钟异常"),
        Text(
            "Files whose own times contradict the device's wall clock (article 8): it stepped or drifts. Set those clocks.",
            "自带时间与设备时钟矛盾的文件数（第八条）：时钟跳变或漂移，应校时。",
        ),
    ),
    "new_gaps": (
        Text("Gaps, per day", "每日中断数"),
        Text(
            "Interruptions of recordings that ended in the day before, by kind of device (article 8).",
            "前一天结束的记录中的中断数，按设备类别（第八条）。",
        ),
    ),
    "recorded_hours": (
        Text("Hours recorded, per day", "每日录制小时数"),
        Text(
            "Recorded time of recordings that ended in the day before, by kind of device (article 2).",
            "前一天结束的记录的录制时长，按设备类别（第二条）。",
        ),
    ),
    # -- pipeline
    "canary": (
        Text("Canary, last seen", "探针记录"),
        Text(
            "Time since the last canary that came past each stage had set out (article 9). `unbroken canary` sends one every quarter of an hour: the first stage that is late is where the way is blocked.",
            "距各环节最近通过的探针记录出发的时间（第九条）。`unbroken canary` 每十五分钟发送一条：第一个迟到的环节即为受阻之处。",
        ),
    ),
    "lag": (
        Text("Waiting on the broker", "消息队列积压"),
        Text(
            "Inputs each stage has not finished, counted by the broker. High for long, or growing, is bad for deadlines (article 9).",
            "由消息代理统计的各环节未处理输入数。长期偏高或持续增长将影响时限（第九条）。",
        ),
    ),
    "done": (
        Text("Inputs carried on, per second", "每秒处理的输入"),
        Text("Inputs each stage finished per second, repeats left out.", "各环节每秒完成的输入数，不含重复。"),
    ),
    "stage_time": (
        Text("Stage time, 95 of 100", "环节用时（95%）"),
        Text(
            "Time within which 95 of 100 batches pass a stage, waiting included.",
            "百分之九十五的批次通过各环节所用时间，含等待。",
        ),
    ),
    "retrying": (
        Text("Partitions held up by an error", "因错误等待的分区"),
        Text(
            "Partitions of each stage whose input is being repeated until a service comes back. Nothing is skipped meanwhile.",
            "各环节因服务异常而反复重试的分区数，期间不跳过任何输入。",
        ),
    ),
    "retries": (
        Text("Repeated attempts, per hour", "每小时重试次数"),
        Text(
            "Attempts that failed for a reason that may pass and were made again, in the hour before.",
            "前一小时因暂时性错误失败并重试的次数。",
        ),
    ),
    "quarantined": (
        Text("In quarantine", "隔离中"),
        Text(
            "Inputs set aside with their bytes and the reason, on which nobody has decided. `unbroken quarantine list` names them.",
            "已连同原始字节与原因隔离、尚未处理的输入数。可用 `unbroken quarantine list` 查看。",
        ),
    ),
    "set_aside": (
        Text("Set aside by reason, per day", "每日隔离原因"),
        Text(
            "Inputs set aside in the day before, by what was wrong with them, the ten most frequent. The runbook says what to do: UnbrokenQuarantined.",
            "前一天被隔离的输入，按原因，取最多的十类；处置方法见处置手册 UnbrokenQuarantined。",
        ),
    ),
    "quarantine_age": (
        Text("Oldest in quarantine", "隔离最久"),
        Text(
            "Time since the oldest of them was set aside. A recording it belongs to is incomplete and its deadline runs (article 9).",
            "最早隔离的输入已等待的时间。所属记录因此不完整，时限仍在计算（第九条）。",
        ),
    ),
    "workers": (
        Text("Workers that answer", "应答的工作进程"),
        Text("One media and one ledger worker are the least.", "至少须有一个 media 和一个 ledger 工作进程。"),
    ),
    "broker": (
        Text("Broker last heard, ago", "距消息代理最近应答"),
        Text(
            "Time since any worker heard from the broker (Kafka).",
            "距任一工作进程最近收到消息代理（Kafka）应答的时间。",
        ),
    ),
    "partitions": (
        Text("Partitions", "分区"),
        Text(
            "Partitions held of each stage by all workers together. Fewer than usual: nobody reads the rest.",
            "各环节由全部工作进程持有的分区数。少于平常则有分区无人读取。",
        ),
    ),
    "rebalances": (
        Text("Partitions handed out anew, per hour", "每小时重新分配"),
        Text(
            "How often workers were given their partitions anew in the hour before. Each time the group pauses.",
            "前一小时重新分配分区的次数，每次都会短暂停顿。",
        ),
    ),
    "loop": (
        Text("Event loop", "事件循环延迟"),
        Text(
            "How late each worker's event loop woke up. At ten seconds its group takes it for dead.",
            "各工作进程事件循环的唤醒延迟。达到十秒会被判定为失效。",
        ),
    ),
    "pool": (
        Text("Media files read or waiting", "媒体文件读取与等待"),
        Text(
            "Media files that are read now or wait for a place, beside the places there are.",
            "正在读取或等待的媒体文件数，与可用读取进程数对照。",
        ),
    ),
    "pool_deaths": (
        Text("Files that crash their reader, per hour", "每小时导致崩溃的文件"),
        Text(
            "Media files whose reading ended the process: crashed, too long or too large. Each is kept and recorded as unreadable.",
            "读取时导致进程终止（崩溃、超时或超内存）的文件数，均保留并记为不可读。",
        ),
    ),
    # -- store and trust
    "last_probe": (
        Text("Locks last tried, ago", "距最近锁定检验"),
        Text(
            "Time since the store's locks were last tried whole (article 13). A pass counts for twice the interval.",
            "距最近一次完整检验存储锁定的时间（第十三条）。通过结果在两个周期内有效。",
        ),
    ),
    "archived": (
        Text("Archived, per hour", "每小时归档"),
        Text(
            "Recording revisions archived and locked in the hour before, by kind of device (article 9).",
            "前一小时归档并锁定的记录版次，按设备类别（第九条）。",
        ),
    ),
    "room": (
        Text("Room left", "剩余空间"),
        Text(
            "What the store's own exporter says is free. “Not known”: none is scraped, see the runbook on UnbrokenStoreSizeUnknown.",
            "存储自身报告的剩余空间。“未知”表示未采集存储指标，参见处置手册 UnbrokenStoreSizeUnknown。",
        ),
    ),
    "room_ahead": (
        Text("Room in 48 hours", "48小时后空间"),
        Text(
            "Room left if the store goes on filling as in the last six hours. Locked objects cannot be deleted to make room (article 12).",
            "按近六小时增速推算的四十八小时后剩余空间。锁定对象不能删除腾挪（第十二条）。",
        ),
    ),
    "shortfalls": (
        Text("Objects kept for too short", "保管不足的对象"),
        Text(
            "Objects whose lock or legal hold falls short of the case file's retention at the last sweep, or that are gone (article 12).",
            "最近一次核查中锁定期限或留存令不足、或已缺失的对象数（第十二条）。",
        ),
    ),
    "last_sweep": (
        Text("Retention checked, ago", "距最近保管核查"),
        Text(
            "Time since locks and legal holds were last compared with what case files and orders demand (article 12).",
            "距最近一次将锁定期限、留存令与档案保管期限核对的时间（第十二条）。",
        ),
    ),
    "read_back": (
        Text("Archive read back", "已复核档案"),
        Text(
            "Share of the archive that was read back and computed anew within the policy's 28 days; it rises for four weeks at first (article 12).",
            "在策略规定的二十八天内回读并重新计算的档案占比；最初四周内逐步上升（第十二条）。",
        ),
    ),
    "archive_waiting": (
        Text("Archive waits on the store", "归档等待存储"),
        Text(
            "Partitions of the archive stage that wait because the store refuses, does not answer or is not trusted (article 9).",
            "因存储拒绝、无应答或未受信任而等待的归档分区数（第九条）。",
        ),
    ),
    "behind": (
        Text("States the broker lost, per day", "每日状态丢失"),
        Text(
            "Assignments that found remembered state older than committed work: the broker lost records. They were made anew from the inputs.",
            "发现状态落后于已提交进度的次数，说明消息代理丢失了记录；已由输入重新计算。",
        ),
    ),
    "versions": (
        Text("Versions that run", "运行版本"),
        Text(
            "Workers by version; two versions at once only during an upgrade.",
            "各版本的工作进程数；仅升级期间可并存两个版本。",
        ),
    ),
}
"""Title and description of each panel."""
