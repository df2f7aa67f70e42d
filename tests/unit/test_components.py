"""The classroom's browser components: the files of each join into one module that JavaScript accepts."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pages.ui.components.shared import bundle

FOLDER = Path(__file__).resolve().parents[2] / "pages" / "ui" / "components"
ENTRIES = [p for p in sorted(FOLDER.glob("*/*.js")) if p.stem == p.parent.name and "export default" in p.read_text()]
NODE = shutil.which("node")


def test_a_file_comes_once_and_after_what_it_imports(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js"\nimport { c } from "./c.js"\nexport const a = b + c\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js"\nexport const b = c\n')
    (tmp_path / "c.js").write_text("export const c = 1\n")
    text = bundle(tmp_path / "a.js")
    assert [line.split()[2] for line in text.splitlines() if line] == ["c", "b", "a"]
    assert "import" not in text


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda p: p.stem)
def test_the_joined_module_is_valid_and_complete(entry):
    text = bundle(entry)
    assert "\nimport " not in text
    assert text.count("export default") == 1
    own = {p.name for p in entry.parent.glob("*.js")}
    assert all(path.read_text().splitlines()[0] in text for path in map(entry.parent.joinpath, own)), "a file is dead"
    if NODE is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("node is missing: the joined module cannot be checked")
        pytest.skip("node is missing: the joined module is not parsed here")
    command = [NODE, "--check", "--input-type=module", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


AS_HTML = re.compile(
    r"(inner|outer)HTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTML|srcdoc|\beval\(|new Function|javascript:"
)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.js")), ids=lambda p: p.name)
def test_no_text_becomes_html_or_code(path):
    """Elements are made and their text is set as text, so nothing that an address or a file says is ever markup."""
    assert not AS_HTML.findall(path.read_text())
