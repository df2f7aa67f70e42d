"""The command line: `python -m simclr_core VERB …`.

With `--json` one JSON object goes to stdout; logs always go to stderr. Exit 0: done, or stopped with a result. 2: a bad input, a
locked directory or a loss that is not finite, told in one sentence. 1: a bug, with its traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from simclr_core import commands
from simclr_core.errors import SimclrError
from simclr_core.progress import Stopped
from simclr_core.records import SPLITS


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--job", help="directory that tells progress and obeys control (run|pause|stop)")


def _add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--download", action="store_true", help="fetch the data set where torchvision can (network)")


def _add_encoder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", required=True, help="run, checkpoint, untrained:RUN or pixels")
    parser.add_argument("--images", required=True, metavar="SPEC", help="demo, digits, npz:PATH, folder:PATH, …")
    _add_download(parser)


def build_parser() -> argparse.ArgumentParser:
    """Every verb with its options."""
    parser = argparse.ArgumentParser(prog="python -m simclr_core", description="SimCLR: train, encode, map, diagnose.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Any) -> argparse.ArgumentParser:
        about = (run.__doc__ or "").splitlines()[0]
        sub = verbs.add_parser(name, help=about, description=about)
        sub.set_defaults(do=run)
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        return sub

    p = verb("train", commands.train)
    p.add_argument("--images", metavar="SPEC", help="demo, digits, npz:PATH, folder:PATH, cifar10:ROOT, …")
    p.add_argument("--out", required=True, help="the run directory")
    p.add_argument("--config", help="a JSON file with the settings")
    p.add_argument("--set", nargs="+", action="extend", default=[], metavar="a.b=v", help="change single settings")
    p.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    _add_download(p)
    p.add_argument("--threads", type=int, help="processor threads; by default as many as are free")

    p = verb("encode", commands.encode)
    _add_encoder(p)
    p.add_argument("--split", choices=SPLITS, default="test")
    p.add_argument("--out", required=True, help="an .npz file: h, z, index, label")
    _add_job(p)

    p = verb("pairs", commands.pairs)
    _add_encoder(p)
    p.add_argument("--split", choices=SPLITS, default="test")
    p.add_argument("--views", type=int, default=2)
    p.add_argument("--most", type=int, default=512, help="at most so many pictures")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", required=True, help="an .npz file: z_a, z_b, h_a, h_b")
    _add_job(p)

    p = verb("diagnose", commands.diagnose)
    p.add_argument("embeddings", metavar="EMB.npz")
    p.add_argument("--pairs", metavar="PAIRS.npz")
    p.add_argument("--run", help="run directory: adds its references and its training history")
    p.add_argument("--space", choices=("h", "z"), default="h")
    _add_job(p)

    p = verb("map", commands.map_)
    p.add_argument("embeddings", metavar="EMB.npz")
    p.add_argument("--method", default="umap", help="pca, tsne or umap")
    p.add_argument("--space", choices=("h", "z"))
    p.add_argument("--dims", type=int, default=2, choices=(2, 3))
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--set", nargs="+", action="extend", default=[], metavar="name=v", help="the method's parameters")
    p.add_argument("--out", required=True, help="a .parquet file: index, x, y (z), label")
    _add_job(p)

    p = verb("probe", commands.probe)
    _add_encoder(p)
    p.add_argument("--method", default="knn", help="knn, linear, finetune or supervised")
    p.add_argument("--labels", type=float, default=1.0, help="share of the training labels that may be seen")
    p.add_argument("--space", choices=("h", "z"), default="h")
    p.add_argument("--seed", type=int, default=0)
    _add_job(p)

    p = verb("inspect", commands.inspect)
    p.add_argument("checkpoint", metavar="CHECKPOINT")

    p = verb("prepare", commands.prepare)
    _add_encoder(p)
    p.add_argument("--split", choices=SPLITS, default="test")
    p.add_argument("--out", required=True, help="the run directory to make")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        result = args.do(args)
    except Stopped:
        commands.say("stopped")
        return 0
    except SimclrError as error:
        commands.say(str(error))
        return 2
    if args.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            if not isinstance(value, dict | list):
                print(f"{key}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
