"""The verbs that tell of a run as a whole, arguments in, one JSON object out: a report to keep, a timeline."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from simclr_core.errors import ConfigError, sentence
from simclr_core.report_html import render
from simclr_core.run_report import report_on
from simclr_core.store import write_atomic
from simclr_core.work import job_of, known_run


def report(args: Namespace) -> dict[str, Any]:
    """Write a report on a run: one HTML page that opens offline, and the same numbers as JSON beside it."""
    out = Path(args.out)
    if out.suffix not in (".html", ".json"):
        raise ConfigError(
            sentence("--out", "a file ending in .html or .json", args.out, "write for example report.html")
        )
    with job_of(args) as progress:
        found = report_on(known_run(args.run), progress=progress)
        write_atomic(out.with_suffix(".json"), json.dumps(found.data, indent=1))
        if out.suffix == ".html":
            write_atomic(out, render(found, args.lang))
    return dict(found.data) | {"out": args.out}


def timeline(args: Namespace) -> dict[str, Any]:
    """Diagnose every kept checkpoint of a run on the held-out sample, and write embeddings/timeline.json."""
    from simclr_core.timeline import make_timeline

    with job_of(args) as progress:
        return make_timeline(known_run(args.run), progress)
