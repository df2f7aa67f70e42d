"""What the classroom's browser components share: arithmetic, numbers as text, elements, playing; and how files become one."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+\.js)"\n', re.MULTILINE)
SPEEDS = ("normal", "slow", "fast")  # of what plays, the first being usual


def bundle(entry: Path) -> str:
    """One JavaScript module of a file and all that it imports, each once and after what it imports itself.

    A component's module is loaded from a blob, where relative imports fail; so the files are joined and their imports of
    each other taken out. Names at the top of the files must therefore differ from file to file: node refuses the module
    otherwise, and a test asks it.
    """
    parts: dict[Path, str] = {}
    _collect(entry.resolve(), parts, set())
    return "\n".join(parts.values())


def style(entry: Path) -> str:
    """The style of a figure: what all of them share, then what stands beside its entry file."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (HERE / "shared.css", entry.with_suffix(".css")))


def _collect(path: Path, parts: dict[Path, str], seen: set[Path]) -> None:
    if path in seen:
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    for found in IMPORT.findall(text):
        _collect((path.parent / found).resolve(), parts, seen)
    parts[path] = IMPORT.sub("", text)
