"""The command line: `python -m simclr_core VERB …`.

With `--json` one JSON object goes to stdout; logs always go to stderr. Exit 0: done, or stopped with a result. 2: a bad input, a
locked directory or a loss that is not finite, told in one sentence. 1: a bug, with its traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from simclr_core import commands, report_commands, training_command
from simclr_core.errors import SimclrError, sentence
from simclr_core.exports import EXPORTS
from simclr_core.invariance import PICTURES, QUESTIONS
from simclr_core.maps import MAPS
from simclr_core.operations import OPERATIONS
from simclr_core.probes import PROBES
from simclr_core.progress import Stopped
from simclr_core.recipes import RECIPES
from simclr_core.records import SPACES, SPLITS
from simclr_core.registry import Label
from simclr_core.sources import SOURCES
from simclr_core.work import environment_error, say
from simclr_core.worksheet.handout import TAGS
from simclr_core.worksheet.problems import IMAGES, PRINTED, TEMPERATURES
from simclr_core.zoo import ZOO

Parser = argparse.ArgumentParser
SPECS = ", ".join(f"{name}:{word}" if (word := source.argument) else name for name, source in SOURCES.items())


def _add_job(parser: Parser) -> None:
    parser.add_argument("--job", help="directory that tells progress and obeys control (run|pause|stop)")


def _add_download(parser: Parser) -> None:
    parser.add_argument("--download", action="store_true", help="fetch the data set where torchvision can (network)")


def _add_encoder(parser: Parser) -> None:
    parser.add_argument("--encoder", required=True, help="run, checkpoint, untrained:RUN or pixels")
    parser.add_argument("--images", required=True, metavar="SPEC", help=SPECS)
    _add_download(parser)


def _add_split(parser: Parser) -> None:
    parser.add_argument("--split", choices=SPLITS, default="test")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(sentence("it", "a whole number from 0", text, "choose another"))
    return int(text)


def _some(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(sentence("it", "a path", text, "name a file or folder"))
    return text


def _add_seed(parser: Parser) -> None:
    parser.add_argument("--seed", type=_natural, default=0)


def _add_set(parser: Parser, metavar: str, about: str) -> None:
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar=metavar, help=about)


def _train(p: Parser) -> None:
    p.add_argument("--images", metavar="SPEC", help=SPECS)
    p.add_argument("--out", type=_some, required=True, help="the run directory")
    p.add_argument("--recipe", help=f"settings to begin with: {', '.join(RECIPES)}")
    p.add_argument("--config", help="a JSON file with the settings")
    _add_set(p, "a.b=v", "change single settings (docs/configuration.md)")
    p.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    _add_download(p)
    p.add_argument("--threads", type=int, help="processor threads; by default as many as are free")


def _encode(p: Parser) -> None:
    _add_encoder(p)
    _add_split(p)
    p.add_argument("--out", type=_some, required=True, help="an .npz file: h, z, index, label")
    _add_job(p)


def _pairs(p: Parser) -> None:
    _add_encoder(p)
    _add_split(p)
    p.add_argument("--views", type=int, default=2)
    p.add_argument("--most", type=_natural, default=512, help="at most so many pictures")
    _add_seed(p)
    p.add_argument("--out", type=_some, required=True, help="an .npz file: z_a, z_b, h_a, h_b")
    _add_job(p)


def _invariance(p: Parser) -> None:
    _add_encoder(p)
    _add_split(p)
    p.add_argument(
        "--ask", choices=QUESTIONS, default=QUESTIONS[0], help="by default, which operation costs most distance"
    )
    p.add_argument("--operation", default="crop", help=f"for --ask sweep: {', '.join(OPERATIONS)}")
    p.add_argument("--most", type=_natural, default=PICTURES, help="at most so many pictures")
    _add_seed(p)
    p.add_argument("--untrained", action="store_true", help="also the same architecture before training")
    p.add_argument("--out", help="a JSON file to write the answer to as well")
    _add_job(p)


def _diagnose(p: Parser) -> None:
    p.add_argument("embeddings", metavar="EMB.npz")
    p.add_argument("--pairs", metavar="PAIRS.npz")
    p.add_argument("--run", help="run directory: adds its references and its training history")
    p.add_argument("--space", choices=SPACES, default="h")
    p.add_argument("--no-intervals", dest="intervals", action="store_false", help="skip how sure each number is")
    _add_job(p)


def _map(p: Parser) -> None:
    p.add_argument("embeddings", metavar="EMB.npz")
    p.add_argument("--method", default="umap", help=", ".join(MAPS))
    p.add_argument("--space", choices=SPACES)
    p.add_argument("--dims", type=int, default=2, choices=(2, 3))
    _add_seed(p)
    _add_set(p, "name=v", "the method's parameters")
    kinds = " or ".join(f".{kind}" for kind in EXPORTS)
    p.add_argument("--out", type=_some, required=True, help=f"a file by its suffix, {kinds}: index, x, y (z), label")
    _add_job(p)


def _probe(p: Parser) -> None:
    _add_encoder(p)
    p.add_argument("--method", default="knn", help=", ".join(PROBES))
    p.add_argument("--labels", type=float, default=1.0, help="share of the training labels that may be seen")
    p.add_argument("--space", choices=SPACES, default="h")
    _add_seed(p)
    _add_set(p, "name=v", "the method's parameters")
    _add_job(p)


def _inspect(p: Parser) -> None:
    p.add_argument("checkpoint", metavar="CHECKPOINT")
    about = "pictures like those it was trained on: which normalisation agrees with the network's own statistics"
    p.add_argument("--images", metavar="SPEC", help=about)
    _add_download(p)


def _prepare(p: Parser) -> None:
    _add_encoder(p)
    _add_split(p)
    p.add_argument("--out", type=_some, required=True, help="the run directory to make")


def _bench(p: Parser) -> None:
    p.add_argument(
        "name", metavar="NAME", nargs="?", help="of benchmarks/bench_NAME.py, or all; without it they are listed"
    )
    p.add_argument("options", nargs=argparse.REMAINDER, help="passed on to it")


def _zoo(p: Parser) -> None:
    p.add_argument(
        "--out",
        type=_some,
        default="runs",
        help="folder of the runs; what is trained there is judged again, not trained",
    )
    p.add_argument("--seeds", type=int, default=3, help="runs of each entry")
    p.add_argument("--only", nargs="+", metavar="NAME", help=f"entries: {', '.join(ZOO)}")
    p.add_argument("--cifar", metavar="SPEC", help="a healthy run on CIFAR-10 too, from this source")
    p.add_argument(
        "--doc", metavar="FILE.md", help="a document whose tables are written anew, with the numbers beside it"
    )


def _sheet(p: Parser) -> None:
    p.add_argument(
        "--seed", type=int, default=PRINTED, help="number of a sheet with its own matrix; 0 is the printed one"
    )
    p.add_argument("--images", type=int, default=IMAGES, help="N, two views each")
    p.add_argument("--temperature", type=float, default=TEMPERATURES[0], help=", ".join(map(str, TEMPERATURES)))
    p.add_argument("--lang", choices=tuple(TAGS), default="en")
    p.add_argument("--key", action="store_true", help="add the answers, on a page of their own")
    p.add_argument("--out", type=_some, required=True, help="an .html file")


def _report(p: Parser) -> None:
    p.add_argument("run", metavar="RUN", help="the run directory")
    p.add_argument(
        "--out",
        type=_some,
        required=True,
        help="a .html file (its numbers go into the .json beside it), or a .json alone",
    )
    p.add_argument("--lang", choices=Label._fields, default="en")
    _add_job(p)


def _timeline(p: Parser) -> None:
    p.add_argument("run", metavar="RUN", help="a run directory with kept checkpoints (train.keep_every)")
    _add_job(p)


VERBS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any] | None], Callable[[Parser], None]]] = {
    "train": (training_command.train, _train),
    "encode": (commands.encode, _encode),
    "pairs": (commands.pairs, _pairs),
    "invariance": (commands.invariance, _invariance),
    "diagnose": (commands.diagnose, _diagnose),
    "map": (commands.map_, _map),
    "probe": (commands.probe, _probe),
    "inspect": (commands.inspect, _inspect),
    "prepare": (commands.prepare, _prepare),
    "zoo": (commands.zoo, _zoo),
    "bench": (commands.bench, _bench),
    "sheet": (commands.sheet, _sheet),
    "report": (report_commands.report, _report),
    "timeline": (report_commands.timeline, _timeline),
}


def build_parser() -> Parser:
    """Every verb with its options; what a verb does is said by the first line of its function."""
    parser = Parser(prog="python -m simclr_core", description="SimCLR: train, encode, map, diagnose.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (run, add_options) in VERBS.items():
        about = (run.__doc__ or "").splitlines()[0]
        sub = verbs.add_parser(name, help=about, description=about)
        sub.set_defaults(do=run)
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        add_options(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        result = args.do(args)
    except Stopped:
        say("stopped")
        result = {"stopped": True}
    except SimclrError as error:
        say(str(error))
        return 2
    except OSError as error:
        if (line := environment_error(error)) is None:
            raise
        say(line)
        return 2
    if result is None:  # a process that only helped another
        return 0
    if args.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            if not isinstance(value, dict | list):
                print(f"{key}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
