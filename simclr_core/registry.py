"""Choices a person can make: plain dicts name → `Choice`, and parameter records whose fields know their own bounds.

A family (`OBJECTIVES`, `MAPS`, `SOURCES`, …) is a dict at the foot of its module. Adding an entry there is all it takes:
the command line, the pages and the contract tests iterate the dict, and build widgets from the fields' metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, NamedTuple, TypeVar

from simclr_core.errors import ConfigError, sentence

F = TypeVar("F", bound=Callable[..., Any])
P = TypeVar("P", bound="Params")
E = TypeVar("E")


class Label(NamedTuple):
    """One text in the languages that entries carry themselves."""

    en: str
    zh: str

    def format(self, **values: Any) -> Label:
        """The text with its values filled in, as `str.format` does."""
        return Label(self.en.format(**values), self.zh.format(**values))

    def then(self, more: Label | None) -> Label:
        """This sentence and, where there is one, the next."""
        return self if more is None else Label(f"{self.en} {more.en}", self.zh + more.zh)


NO_HELP = Label("", "")


def number(
    default: float | None,
    low: float,
    high: float,
    label: Label,
    help: Label = NO_HELP,
    *,
    integer: bool = False,
    log: bool = False,
    auto: Label | None = None,
) -> Any:
    """Declare a bounded number. `auto` names what None means and allows it; `log` asks for a logarithmic slider."""
    meta = {"kind": "number", "low": low, "high": high, "label": label, "help": help}
    return field(default=default, metadata=meta | {"integer": integer, "log": log, "auto": auto})


def span(default: tuple[float, float], low: float, high: float, label: Label, help: Label = NO_HELP) -> Any:
    """Declare a pair low ≤ high within bounds."""
    return field(default=default, metadata={"kind": "span", "low": low, "high": high, "label": label, "help": help})


def option(default: str, values: Mapping[str, Label], label: Label, help: Label = NO_HELP) -> Any:
    """Declare one of a few named values."""
    return field(default=default, metadata={"kind": "option", "values": values, "label": label, "help": help})


def several(default: tuple[str, ...], values: Mapping[str, Label], label: Label, help: Label = NO_HELP) -> Any:
    """Declare any number of a few named values, in the order of the names."""
    return field(default=default, metadata={"kind": "several", "values": values, "label": label, "help": help})


def switch(default: bool, label: Label, help: Label = NO_HELP) -> Any:
    """Declare a yes/no."""
    return field(default=default, metadata={"kind": "switch", "label": label, "help": help})


def _number(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    if value is None and meta["auto"] is not None:
        return
    low, high = meta["low"], meta["high"]
    kind = "a whole number" if meta["integer"] else "a number"
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or (meta["integer"] and int(value) != value) or not low <= value <= high:
        also = " or null (automatic)" if meta["auto"] is not None else ""
        raise ConfigError(sentence(name, f"{kind} from {low:g} to {high:g}{also}", value, "choose a value inside"))


def _span(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    low, high = meta["low"], meta["high"]
    pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if not pair or not low <= value[0] <= value[1] <= high:
        raise ConfigError(sentence(name, f"two numbers, {low:g} ≤ first ≤ second ≤ {high:g}", value, "give both"))


def _option(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    if not isinstance(value, str) or value not in meta["values"]:
        raise ConfigError(sentence(name, f"one of {', '.join(meta['values'])}", value, "choose one of these"))


def _several(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    if not isinstance(value, tuple) or value != tuple(name for name in meta["values"] if name in value):
        rule = f"a list of any of {', '.join(meta['values'])}, in this order"
        raise ConfigError(sentence(name, rule, value, "write for example " + json.dumps([*meta["values"]][:2])))


def _switch(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    if not isinstance(value, bool):
        raise ConfigError(sentence(name, "true or false", value, "choose one of the two"))


_CHECKS: dict[str, Callable[[str, Any, Mapping[str, Any]], None]] = {
    "number": _number,
    "span": _span,
    "option": _option,
    "several": _several,
    "switch": _switch,
}


def check_fields(record: Any) -> None:
    """Check every declared field of a frozen record; raise `ConfigError` naming the field, its rule and the value."""
    for f in fields(record):
        if "kind" in f.metadata:
            value = getattr(record, f.name)
            _CHECKS[f.metadata["kind"]](f.name, value, f.metadata)
            if f.metadata.get("integer") and isinstance(value, float):  # 1e3, as people and JSON write a thousand
                object.__setattr__(record, f.name, int(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Base of every parameter record; an entry without parameters uses it as it is."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Generic[F]):
    """One entry of a family: what it is called, what it does, what it can be told, and where it comes from.

    `help` is a sentence for a person: how to read a diagnostic, what to try against a diagnosis.
    """

    label: Label
    run: F
    params: type[Params] = Params
    source: str
    help: Label = NO_HELP


def pick(family: Mapping[str, E], name: str, what: str) -> E:
    """Look up an entry, or say what there is.

    Args:
        family: the dict of choices.
        name: the entry asked for.
        what: how the message calls the family, e.g. "objective".
    """
    if not isinstance(name, str) or name not in family:
        raise ConfigError(sentence(what, f"one of {', '.join(family)}", name, "choose one of these"))
    return family[name]


def make_params(kind: type[P], values: Mapping[str, Any]) -> P:
    """Build a parameter record from loose values; an unknown name is an error that lists the known ones."""
    known = {f.name: f for f in fields(kind)}
    for name in values:
        if name not in known:
            allowed = ", ".join(known) or "absent: there are no parameters here"
            raise ConfigError(sentence("parameter", f"one of {allowed}", name, "check the spelling"))
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
