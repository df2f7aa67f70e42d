"""What is said and shown, in files beside the modules: texts in both languages as TOML, pages as HTML templates."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simclr_core.registry import Label

if TYPE_CHECKING:
    from jinja2 import Template


class Texts(dict[str, Any]):
    """Tables by name; in them a `Label` stands wherever the file has just `en` and `zh`, and tuples for its lists."""

    def say(self, key: str, **values: Any) -> Label:
        """The text under a dotted key ("cone.ok") with its values filled in, in `str.format` form."""
        found: Any = self
        for name in key.split("."):
            found = found[name]
        return found.format(**values)


def beside(module: str) -> Texts:
    """The TOML file of a module's own name: `TEXTS = beside(__file__)`."""
    return Texts(_read(tomllib.loads(Path(module).with_suffix(".toml").read_text(encoding="utf-8"))))


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return Label(**value) if value.keys() == {"en", "zh"} else {name: _read(v) for name, v in value.items()}
    return tuple(map(_read, value)) if isinstance(value, list) else value


def template(file: Path, **filters: Callable[..., str]) -> Template:
    """An HTML page as a Jinja template that escapes what is filled in, and refuses a name that is not."""
    from jinja2 import Environment, StrictUndefined  # the command line must not load it to explain itself

    made = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.filters |= filters
    return made.from_string(file.read_text(encoding="utf-8"))
