"""The rooms of the architecture: dependencies run downwards only, every core module has a layer and a line in the docs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_dependencies_run_downwards_and_every_core_module_has_a_layer():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_core_module_has_its_line_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`(\w+)/?`", text))
    modules = {p.stem for p in (ROOT / "simclr_core").glob("*.py")} | {"kernels", "demo"}
    assert modules - {"__init__"} - named == set()
