"""When a Chinese word with another sense names people."""

from __future__ import annotations

from typing import Final

from perturbx.lexicons.whole_words import WordEdges


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_BEFORE: Final = _words("是 为 做 当 作为 名 位 个 一名 一位 一个 的 所有 都是 这位 那位 讨厌")
_AFTER: Final = _words(
    "人 者 们 群体 朋友 社区 人群 人士 的 是 和 与 或 及 都 也 很 在 有 就 "
    "被 把 不 会 要 能 说 吗 呢 吧 了 跟 对 从 给 让 还 却 但 比"
)

_PERSONS: Final = tuple(
    _words(
        "朋友 好友 同学 同事 同胞 伙伴 邻居 室友 男友 女友 恋人 伴侣 情侣 夫妻 夫妇 家庭 家属 "
        "家人 亲戚 父母 家长 孩子 学生 学者 老师 教师 教授 医生 大夫 护士 病人 患者 司机 警察 "
        "军人 士兵 战士 工人 农民 居民 公民 市民 移民 难民 网民 选民 村民 人民 民众 群众 观众 "
        "听众 大众 员工 职工 民工 同志 客人 顾客 旅客 乘客 游客 房客 租客 客户 用户 老板 经理 "
        "总统 总理 市长 校长 首相 议员 律师 法官 作家 画家 专家 科学家 艺术家 音乐家 企业家 商人 "
        "歌手 选手 球星 明星 影星 歌星 模特 博士 硕士 院士 人士 人群 群体 人口 青年 少年 儿童 "
        "老人 老年人 年轻人 成年人 妇女 妇人 女人 男人 女性 男性 女孩 男孩 女生 男生 女士 先生 "
        "女子 男子 小伙 小孩 姑娘 婴儿 兄弟 姐妹 嫌犯 罪犯 犯人 囚犯 奴隶 英雄 领袖 教徒 信徒 "
        "信众 候选人 主持人 负责人 发言人 工程师 设计师 厨师 保姆 保安 邻里 社区 社群 族群 团体 "
        "部落 文化 音乐 文学 历史 权利 权益 身份"
    )
)
_OF_PERSONS: Final = ("员", "者", "师")
"""How words for people end."""
_NO_PERSONS: Final = _words("或者 再者 出师 动员 复员 裁员")


def goes_before_a_person(text: str, stop: int) -> bool:
    """Return whether a word for people begins at `stop`: behind 黑人 in 黑人朋友."""
    is_gendered = text[stop : stop + 1] in ("男", "女")
    if text.startswith(_PERSONS, stop) or (is_gendered and text.startswith(_PERSONS, stop + 1)):
        return True
    after = WordEdges(text[stop : stop + 8]).word_after(0)
    return len(after) > 1 and after.endswith(_OF_PERSONS) and after not in _NO_PERSONS


def names_someone(edges: WordEdges, start: int, stop: int) -> bool:
    """Return whether the word between these positions names people.

    It does behind a verb or a counter that takes people, before a word for people or a function
    word, and at the end of a phrase; not before another word.
    """
    after = edges.word_after(stop)
    if not after or after in _AFTER or not after[0].isalnum():
        return True
    return edges.word_before(start) in _BEFORE and after in _AFTER
