"""Chinese personal names by sex and generation, and the variants in which offices write the same name.

Frequencies follow the surname statistics of the Ministry of Public Security in their order; they are shaped, not exact.
"""

from __future__ import annotations

import numpy as np

from demo.city.draw import Array, Rng, chance, pick

# 45 surnames cover about three quarters of Shanghai; the tail holds compound and rare ones that break naive splitting.
SURNAMES = "王张陈李徐朱杨周吴沈陆黄顾刘赵孙金唐倪龚蔡曹胡潘施瞿马姚何林高严许钱乔方汪叶郭丁康奚费戴诸谢宋邹冯程"
RARE_SURNAMES = ["欧阳", "诸葛", "上官", "司徒", "夏侯", "逄", "亓", "仉", "乜", "禤", "昝", "邸"]
MALE = (
    list("国建明华德福根金林祥荣生宝发兴永庆财祖关炳康良仁"),
    list("军伟勇强斌辉杰涛鹏磊峰刚超波健俊敏毅平海龙云飞翔"),
    list("浩宇子轩梓睿博泽嘉皓晨奕辰天佑铭逸文昊一诺俊熙航"),
)
FEMALE = (
    list("英珍秀兰凤娣妹宝根芳琴美玉花桂香菊梅月惠素金莲翠"),
    list("丽敏静燕艳红霞娟萍慧莉洁蕾颖琳婷雯倩芸佳蓉薇琼莺"),
    list("雨涵欣怡梓萱诗思悦可馨依诺语桐子琪若曦心妍艺晗彤"),
)
RARE_GIVEN = list("喆堃珺犇翀燊玥䶮㛃昇淼彧赟旻垚")
DOTTED = ["阿依古丽·买买提", "艾力·吐尔逊", "古丽娜尔·阿不都", "扎西·次仁", "迪丽热巴·艾山", "麦麦提·卡地尔"]

# Homophones clerks confuse when a name is taken down by ear; every group shares one pinyin syllable.
HOMOPHONES = (
    "伟维威薇炜玮卫",
    "丽莉俐利励",
    "军君俊钧均",
    "红宏洪虹鸿",
    "静晶婧敬",
    "燕艳雁彦",
    "杰洁婕",
    "霞侠夏",
    "芳方",
    "敏闽旻",
    "萍平苹",
    "慧惠卉",
    "明鸣铭",
    "华花骅",
    "建健剑",
    "国果",
    "英瑛莹颖",
    "珍真贞",
    "秀绣",
    "兰岚蓝",
    "雨语宇羽",
    "涵晗寒含",
    "欣心新馨",
    "怡依宜",
    "浩昊皓灏",
    "轩萱宣",
    "睿瑞锐",
    "博波",
    "辰晨陈",
    "琳林霖",
    "张章",
    "徐许",
    "沈申",
    "陆路",
    "唐汤",
    "姚尧",
    "胡湖",
    "曹操",
    "周舟",
    "金今",
    "荣容蓉",
    "祥翔",
    "根跟",
    "宝保",
)
TRADITIONAL = str.maketrans(
    "张陈刘杨赵黄吴孙马许严叶郑谢钱邹冯陆顾龚费诸汪程国庆发财荣兴华宝军强辉杰涛刚龙云飞伟丽静艳红娟兰凤惠莲萍颖"
    "浩宇轩泽晨辰铭逸诗语怡莹珍贞实卫维钧鸿侠剑岚",
    "張陳劉楊趙黃吳孫馬許嚴葉鄭謝錢鄒馮陸顧龔費諸汪程國慶發財榮興華寶軍強輝傑濤剛龍雲飛偉麗靜艷紅娟蘭鳳惠蓮萍穎"
    "浩宇軒澤晨辰銘逸詩語怡瑩珍貞實衛維鈞鴻俠劍嵐",
)

_SURNAME_WEIGHTS = np.concatenate([1 / (np.arange(len(SURNAMES)) + 6.0), np.full(len(RARE_SURNAMES), 0.0009)])
_SURNAMES = [*SURNAMES, *RARE_SURNAMES]
_SOUNDS_LIKE = {letter: group.replace(letter, "") for group in HOMOPHONES for letter in group}


def surnames(rng: Rng, size: int) -> Array:
    """Surnames at their frequencies."""
    return pick(rng, _SURNAMES, size, _SURNAME_WEIGHTS)


def given_names(rng: Rng, is_male: Array, birth_years: Array) -> Array:
    """Given names of one or two characters, in the fashion of the generation."""
    size = len(is_male)
    era = np.digitize(birth_years, [1965, 1995])
    result = np.full(size, "", dtype="<U4")
    for male in (True, False):
        for number, pool in enumerate(MALE if male else FEMALE):
            mine = np.flatnonzero((is_male == male) & (era == number))
            weights = 1 / (np.arange(len(pool)) + 5.0)
            first = pick(rng, pool, len(mine), weights)
            second = pick(rng, pool, len(mine), weights)
            single = chance(rng, (0.12, 0.30, 0.08)[number], len(mine))
            result[mine] = np.where(single, first, np.char.add(first, second))
    rare = np.flatnonzero(chance(rng, 0.004, size))
    result[rare] = np.char.add(result[rare].astype("<U1"), pick(rng, RARE_GIVEN, len(rare)))
    return result


def dotted(rng: Rng, names: Array, share: float = 0.0015) -> Array:
    """A few names with a middle dot, as some minorities write them."""
    chosen = chance(rng, share, len(names))
    return np.where(chosen, pick(rng, DOTTED, len(names)), names)


def traditional(name: str) -> str:
    """The name in traditional characters."""
    return name.translate(TRADITIONAL)


def homophone(name: str, rng: Rng) -> str:
    """One character of the given name replaced by one that sounds the same; unchanged where none is known."""
    for position in reversed(range(len(name))):
        others = _SOUNDS_LIKE.get(name[position])
        if others:
            return name[:position] + others[int(rng.integers(len(others)))] + name[position + 1 :]
    return name


def spaced(name: str) -> str:
    """A two-character name drawn apart, as forms print it, or a stray blank at the end."""
    return f"{name[0]}　{name[1]}" if len(name) == 2 else f"{name} "


def other_dot(name: str) -> str:
    """Another of the several middle dots in use."""
    return name.replace("·", "•") if "·" in name else name
