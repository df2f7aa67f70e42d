"""One Chinese word for each term of the classroom, wherever the English says it; texts of the catalogue, the core and the sheet."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pages.ui.text import catalogues

ROOT = Path(__file__).resolve().parents[2]
TERMS = {  # English → the one Chinese word
    r"temperatures?\b": "温度系数",
    r"positive pairs?\b": "正样本对",
    r"negatives\b": "负样本",
    r"cosine similarit(y|ies)\b": "余弦相似度",
    r"collapse[ds]?\b": "坍缩",
    r"momentum encoder\b": "动量编码器",
    r"queues?\b": "队列",
    r"playgrounds?\b": "演练场",
}
DISCOURAGED = ("温度参数", "正例", "负例", "正对", "负对", "塌缩", "坍塌", "崩溃表征", "余弦相似性", "动量网络", "游乐场", "排队", "队伍")  # fmt: skip


@cache
def pairs() -> list[tuple[str, str, str]]:
    """Where each text stands, in English and Chinese."""
    return list(_pairs())


def _pairs() -> Iterator[tuple[str, str, str]]:
    english, chinese = catalogues()["en"].texts, catalogues()["zh"].texts
    yield from ((key, said, chinese[key]) for key, said in english.items())
    for path in [*(ROOT / "simclr_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Label" and len(node.args) == 2:
                both = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if len(both) == 2:
                    yield f"{path.name}:{node.lineno}", *both
    for path in (ROOT / "simclr_core").rglob("*.toml"):
        yield from sheet(tomllib.loads(path.read_text()), path.name)


def sheet(tree: object, where: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(tree, dict) and "en" in tree:
        yield where, tree["en"], tree["zh"]
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from sheet(value, f"{where} {name}")
    elif isinstance(tree, list):
        for value in tree:
            yield from sheet(value, where)


@pytest.mark.parametrize(("term", "word"), TERMS.items())
def test_a_term_has_its_one_chinese_word(term, word):
    lacking = [
        (where, en, zh)
        for where, en, zh in pairs()
        if re.search(rf"\b{term}", re.sub(r"\{\w*\}", "", en), re.IGNORECASE) and word not in zh
    ]
    assert lacking == []


@pytest.mark.parametrize("word", DISCOURAGED)
def test_no_other_word_is_used_for_it(word):
    assert [(where, zh) for where, _, zh in pairs() if word in zh] == []
