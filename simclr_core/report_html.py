"""A report on a run as one HTML page that opens offline: no script, no request, nothing unescaped.

Colours follow the reader's scheme, and the page prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from simclr_core import __version__, report_svg
from simclr_core.causes import CAUSES
from simclr_core.cloud import HUB_K
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.registry import Label
from simclr_core.run_report import Evidence, Group, RunReport
from simclr_core.verdict import DIAGNOSES

REFERENCES = {
    "untrained": Label("Untrained", "未训练"),
    "pixels": Label("Raw pixels", "原始像素"),
    "sphere": Label("Uniform sphere", "均匀球面"),
}
TEXT = {
    "title": Label("Collapse report", "坍缩诊断报告"),
    "healthy": Label("healthy", "健康"),
    "ok": Label("✓ passed", "✓ 通过"),
    "warn": Label("▲ warning", "▲ 提示"),
    "fail": Label("✕ failed", "✕ 不合格"),
    "space": Label("Space", "空间"),
    "rows": Label("{n:,} pictures, each {d} numbers", "{n:,} 张图像，每张 {d} 个数"),
    "try": Label("What to try", "可以尝试"),
    "causes": Label("Likely causes", "可能的原因"),
    "score": Label("score", "分数"),
    "cure": Label("Cure", "对策"),
    "checks": Label("All checks", "全部检查"),
    "check": Label("Check", "检查"),
    "result": Label("Result", "结果"),
    "value": Label("Value", "数值"),
    "interval": Label("Interval (95 %)", "区间（95 %）"),
    "limit": Label("Limit", "界限"),
    "numbers": Label("Every number and its references", "全部数值与参照"),
    "number": Label("Number", "指标"),
    "encoder": Label("This encoder", "此编码器"),
    "spectrum": Label("Spectrum", "谱"),
    "spectrum_how": Label(
        "Eigenvalues of the centred covariance, divided by the largest, by rank, on a logarithmic axis.",
        "去均值协方差的特征值除以最大值，按名次排列，纵轴为对数。",
    ),
    "rank": Label("rank", "名次"),
    "cosines": Label("Cosines of pairs", "样本对的余弦"),
    "cosines_how": Label("Share of the pairs in each bin of the cosine.", "各余弦区间中样本对的占比。"),
    "positive": Label("positive pairs", "正样本对"),
    "negative": Label("negative pairs", "负样本对"),
    "cosine": Label("cosine", "余弦"),
    "occurrence": Label("Hubs", "枢纽"),
    "occurrence_how": Label(
        "Pictures by how many others have them among their {k} nearest.",
        "按出现在多少张图像的前 {k} 近邻中统计的图像数。",
    ),
    "count": Label("in the {k} nearest of so many", "出现在多少张图像的前 {k} 近邻中"),
    "pictures": Label("pictures", "图像数"),
    "nearest": Label("The nearest pairs of different pictures", "最近的不同图像对"),
    "why": Label("Why the nearest two whose pixels differ are alike", "像素不同的最近一对为何相似"),
    "hubs": Label("The greatest hubs, each with pictures that chose it", "最大的枢纽，及选中它的图像"),
    "worst": Label("Views of one picture that lie farthest apart", "同一图像相距最远的视图"),
    "image": Label("image", "图像"),
    "no_pictures": Label("Pictures are not shown: {why}.", "未显示图像：{why}。"),
    "table": Label("These numbers as a table", "以表格查看这些数值"),
    "provenance": Label("Where it comes from", "来源"),
    "run": Label("Run", "运行"),
    "run_id": Label("Run id", "运行标识"),
    "data_digest": Label("Digest of the pictures", "图像摘要"),
    "images": Label("Training pictures", "训练图像数"),
    "device": Label("Device", "设备"),
    "precision": Label("Precision", "精度"),
    "threads": Label("Threads", "线程数"),
    "seconds": Label("Seconds of training", "训练秒数"),
    "steps": Label("Steps", "步数"),
    "seeds": Label("Seeds", "随机种子"),
    "versions": Label("Versions that wrote this report", "写出本报告的版本"),
    "command": Label("To make this run again", "重现此运行"),
    "config": Label("Configuration", "配置"),
    "not_measured": Label("not measured", "未测量"),
}
STYLE = """
:root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6672;--line:#d5dae0;--page:#fff;--card:#f6f7f9;--c0:#0072b2;--c1:#d55e00}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#a4adb7;--line:#3a424c;--page:#14181d;--card:#1c2127;--c0:#56b4e9;--c1:#e69f00}}
*{box-sizing:border-box}
body{margin:0 auto;padding:28px 20px;max-width:960px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{margin:0 0 4px}h2{margin:36px 0 8px;border-bottom:1px solid var(--line)}h3{margin:24px 0 6px}
.soft,small{color:var(--soft)}small{display:block}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:10px 0}
.card b.verdict{font-size:1.4rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;font-weight:400;
font-variant-numeric:tabular-nums;white-space:nowrap}
th:first-child,td.words{text-align:left;white-space:normal}
thead th{color:var(--soft);font-size:.8rem}
svg{width:100%;max-width:720px;height:auto;display:block}svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line)}.line0,.line1{fill:none;stroke-width:2}.line0{stroke:var(--c0)}
.line1{stroke:var(--c1);stroke-dasharray:6 4}.bar0{fill:var(--c0);opacity:.75}.bar1{fill:none;stroke:var(--c1);stroke-width:1.5}
.fill0{fill:var(--c0)}.fill1{fill:none;stroke:var(--c1);stroke-width:1.5}
.gallery{display:flex;flex-wrap:wrap;gap:14px}figure{margin:0}
figure img{width:64px;height:64px;object-fit:contain;background:var(--card);border-radius:4px;image-rendering:pixelated}
figcaption{font-size:.8rem;color:var(--soft)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);padding:10px 12px;border-radius:6px;font-size:.82rem}
@media print{body{max-width:none;padding:0;font-size:11px}.card,figure,svg,tr{break-inside:avoid}h2,h3{break-after:avoid}}
"""

Say = Callable[..., str]


def render(report: RunReport, language: str = "en") -> str:
    """The page.

    Args:
        report: from `report_on`.
        language: one of `Label._fields`.
    """

    def say(text: str | Label | Mapping[str, str], **values: Any) -> str:
        label = TEXT[text] if isinstance(text, str) else text
        words = label._asdict() if isinstance(label, Label) else label
        found = words.get(language) or words["en"]
        return escape(found.format(**values) if values else found)

    spaces = "".join(_space(report, space, say) for space in report.evidence)
    title = f"{say('title')}: {escape(report.name)}"
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{spaces}{_provenance(report.data['provenance'], say)}</body></html>"
    )


# -- parts ---------------------------------------------------------------------------------------------------------------
def number(value: float | None) -> str:
    """A number to four digits, a dash where there is none."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _interval(interval: Sequence[float] | None) -> str:
    return "–" if not interval else f"{number(interval[0])} … {number(interval[1])}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML already; the first of a row names it."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _space(report: RunReport, space: Any, say: Say) -> str:
    data, evidence = report.data["spaces"][space], report.evidence[space]
    return "".join(
        (
            f'<section id="{space}"><h2>{say("space")} {space}</h2>',
            _verdict(data, say),
            _causes(report.data["causes_of"][space], say),
            f"<h3>{say('checks')}</h3>{_checks(data, say)}",
            f"<h3>{say('numbers')}</h3>{_numbers(data, report.data['references'], space, say)}",
            _figures(evidence, say),
            _pictures(evidence, report.missing, say),
            "</section>",
        )
    )


def _verdict(data: Mapping[str, Any], say: Say) -> str:
    name = DIAGNOSES[data["verdict"]].label if data["verdict"] in DIAGNOSES else TEXT["healthy"]
    badge = f'<b class="verdict" data-verdict="{escape(data["verdict"])}">{_upper(say(name))}</b>'
    heavy = [f for f in data["findings"] if f["severity"] != "ok"]
    why = "".join(f"<li>{say(f['severity'])}: {say(f['sentences'])}</li>" for f in heavy)
    remedy = f"<p>{say('try')}: {say(data['remedy'])}</p>" if data["remedy"] else ""
    return (
        f'<div class="card">{badge} {say(data["severity"])}'
        f'<div class="soft">{say("rows", n=data["n"], d=data["dim"])}</div><ul>{why}</ul>{remedy}</div>'
    )


def _causes(causes: Sequence[Mapping[str, Any]], say: Say) -> str:
    if not causes:
        return ""
    cards = []
    for cause in causes:
        settings = "".join(
            f"<li><code>{escape(k)}={escape(json.dumps(v))}</code></li>" for k, v in cause["cure"].items()
        )
        cards.append(
            f'<div class="card"><b>{_upper(say(CAUSES[cause["id"]].label))}</b> · {say("score")} {cause["score"]:.2f}'
            f"<div>{say(cause['sentences'])}</div><div>{say('cure')}: {say(cause['effect'])}</div><ul>{settings}</ul></div>"
        )
    return f"<h3>{say('causes')}</h3>{''.join(cards)}"


def _checks(data: Mapping[str, Any], say: Say) -> str:
    rows = []
    for found in data["findings"]:
        if found["id"] not in DIAGNOSES:
            continue
        told = f"<small>{say(found['sentences'])} {escape(found['source'])}</small>"
        name = f"<b>{_upper(say(DIAGNOSES[found['id']].label))}</b>{told}"
        result = say(found["severity"]) if found["value"] is not None else say("not_measured")
        numbers = (number(found["value"]), _interval(found.get("interval")), number(found["threshold"]))
        rows.append((name, result, *numbers))
    return _table(map(say, ("check", "result", "value", "interval", "limit")), rows)


def _numbers(data: Mapping[str, Any], references: Mapping[str, Any], space: str, say: Say) -> str:
    beside = data["beside"]
    rows = []
    for name, choice in DIAGNOSTICS.items():
        value = data["metrics"].get(name)
        own = say("not_measured") if value is None else f"<b>{number(value)}</b>"
        others = (number(beside.get(kind, {}).get(name)) for kind in REFERENCES)
        interval = _interval(data.get("intervals", {}).get(name))
        rows.append(
            (f'<b id="{space}-{name}">{say(choice.label)}</b><small>{say(choice.help)}</small>', own, interval, *others)
        )
    head = [say("number"), say("encoder"), say("interval"), *map(say, REFERENCES.values())]
    return _table(head, rows)


# -- figures -------------------------------------------------------------------------------------------------------------
def _figures(evidence: Evidence, say: Say) -> str:
    named = {say("encoder" if k == "encoder" else REFERENCES[k]): v for k, v in evidence.spectrum.items()}
    parts = [
        _figure(
            say("spectrum"), say("spectrum_how"), report_svg.curves(named, title=say("spectrum"), x_title=say("rank"))
        )
    ]
    parts.append(_rows(say, [say("rank"), *named], range(1, 1 + max(map(len, named.values()))), named.values()))
    if evidence.cosines:
        pairs = {say(k): v for k, v in evidence.cosines.items()}
        drawn = report_svg.bars(pairs, -1, 1, title=say("cosines"), x_title=say("cosine"))
        edges = np.linspace(-1, 1, len(next(iter(pairs.values()))) + 1)
        starts = [f"{a:.2f} … {b:.2f}" for a, b in pairwise(edges)]
        parts += [
            _figure(say("cosines"), say("cosines_how"), drawn),
            _rows(say, [say("cosine"), *pairs], starts, pairs.values()),
        ]
    count = evidence.occurrence
    titles = {"title": say("occurrence"), "x_title": say("count", k=HUB_K)}
    drawn = report_svg.bars({say("pictures"): count}, 0, len(count) - 1, **titles)
    parts.append(_figure(say("occurrence"), say("occurrence_how", k=HUB_K), drawn))
    parts.append(_rows(say, [say("count", k=HUB_K), say("pictures")], range(len(count)), [count]))
    return "".join(parts)


def _figure(title: str, how: str, drawing: str) -> str:
    return f'<h3>{title}</h3>{drawing}<div class="soft">{how}</div>'


def _rows(say: Say, head: Sequence[str], first: Iterable[Any], columns: Iterable[np.ndarray]) -> str:
    """The numbers of a figure, folded away."""
    lists = [[number(float(v)) for v in column] for column in columns]
    rows = [(str(name), *(c[i] if i < len(c) else "–" for c in lists)) for i, name in enumerate(first)]
    return f"<details><summary>{say('table')}</summary>{_table(head, rows)}</details>"


def _pictures(evidence: Evidence, missing: str, say: Say) -> str:
    note = f'<p class="soft">{say("no_pictures", why=missing)}</p>' if missing else ""
    why = evidence.why
    sentences = "" if why is None else f"<ul>{''.join(f'<li>{say(text)}</li>' for text in why.sentences)}</ul>"
    shown = (
        ("nearest", evidence.nearest, ""),
        ("why", () if why is None else (why.pair,), sentences),
        ("hubs", evidence.hubs, ""),
        ("worst", evidence.worst, ""),
    )
    return note + "".join(
        f'<h3>{say(name)}</h3><div class="gallery">{"".join(_group(g, say, count=name == "hubs") for g in groups)}</div>{after}'
        for name, groups, after in shown
        if groups
    )


def _group(group: Group, say: Say, *, count: bool) -> str:
    names = ", ".join(dict.fromkeys(str(tile.image) for tile in group.tiles))
    value = f"N{HUB_K} = {group.value:.0f}" if count else f"{say('cosine')} {group.value:.5f}"
    pictures = "".join(f'<img src="{tile.src}" alt="{say("image")} {tile.image}">' for tile in group.tiles if tile.src)
    return f"<figure>{pictures}<figcaption>{say('image')} {names}<br>{value}</figcaption></figure>"


# -- where it comes from -------------------------------------------------------------------------------------------------
def _provenance(about: Mapping[str, Any], say: Say) -> str:
    plain = ("run", "run_id", "data_digest", "images", "device", "precision", "threads", "seconds", "steps")
    rows = [(say(name), say("not_measured") if about[name] is None else escape(str(about[name]))) for name in plain]
    versions = {"simclr_core": __version__, **about["versions"]}
    rows.append((say("seeds"), escape(", ".join(f"{k} {v}" for k, v in about["seeds"].items() if v is not None))))
    rows.append((say("versions"), escape(", ".join(f"{k} {v}" for k, v in versions.items()))))
    body = "".join(f'<tr><th scope="row">{name}</th><td class="words">{value}</td></tr>' for name, value in rows)
    again = f"<h3>{say('command')}</h3><pre>{escape(about['command'])}</pre>" if about["command"] else ""
    config = json.dumps(about["config"], indent=1, ensure_ascii=False)
    settings = f"<h3>{say('config')}</h3><pre>{escape(config)}</pre>" if about["config"] else ""
    return (
        f'<h2>{say("provenance")}</h2><div class="scroll"><table><tbody>{body}</tbody></table></div>{again}{settings}'
    )
