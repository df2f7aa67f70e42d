"""JavaScript under test, run by node: a script that reads JSON from stdin and prints JSON."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

COMPONENTS = Path(__file__).resolve().parents[1] / "pages" / "ui" / "components"
NODE = shutil.which("node")
FRAME = """
let text = ""
for await (const chunk of process.stdin) text += chunk
const cases = JSON.parse(text)
"""


def ask_node(imports: dict[str, str], body: str, cases: Any) -> Any:
    """What `body` returns for `cases`.

    Args:
        imports: name in the script → file under pages/ui/components; the very files that the pages inline.
        body: an expression in `cases` and the imported names.
        cases: what JSON can hold; NaN becomes null.
    """
    if NODE is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("node is missing: the browser's arithmetic cannot be checked")
        pytest.skip("node is missing: the browser's arithmetic is not checked here")
    lines = [f'import * as {name} from "{(COMPONENTS / file).as_uri()}"' for name, file in imports.items()]
    script = "\n".join(lines) + FRAME + f"console.log(JSON.stringify({body}))"
    command = [NODE, "--input-type=module", "--eval", script]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
