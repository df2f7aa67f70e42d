"""`PROBES`: how much of the labels an encoder gives: read off its frozen embeddings, or by training it on them.

Torch and scikit-learn load inside the probes that need them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.knn import KnnParams, check_classes, check_split, knn_accuracy
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import EmbeddingTable, ImageSet, Space
from simclr_core.registry import Choice, Label, Params, make_params, number, pick


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe's answer.

    Attributes:
        accuracy: share of the test rows classified rightly, in [0, 1].
        method: name in `PROBES`.
        labels: share of the training labels that were seen, in (0, 1].
        n_train, n_test: rows that were fitted on and tested on.
        seed: draws the labels that are seen.
    """

    accuracy: float
    method: str
    labels: float
    n_train: int
    n_test: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearParams(Params):
    """Multinomial logistic regression on standardised columns."""

    strength: float = number(
        0.1, 1e-6, 1e6, Label("C", "C"), Label("inverse of the L2 penalty", "L2 惩罚的倒数"), log=True
    )
    iterations: int = number(300, 1, 100_000, Label("Iterations at most", "最多迭代次数"), integer=True, log=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneParams(Params):
    """Training on labels; the same steps for every share of them, so that few labels are not also fewer steps."""

    steps: int = number(600, 1, 1_000_000, Label("Steps", "步数"), integer=True, log=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Choice[Callable[..., float]]):
    """An entry of `PROBES`.

    Attributes:
        needs: "embeddings": `run(train_x, train_y, test_x, test_y, **params)`; "pictures": `run(encoder, train, test, *,
            seen, seed, progress, **params)` with image sets that carry labels, of which rows `seen` of `train` may be
            learnt from. Both give an accuracy in [0, 1].
    """

    needs: Literal["embeddings", "pictures"] = "embeddings"


def linear_accuracy(
    train_x: Float[np.ndarray, "n d"],
    train_y: Int[np.ndarray, " n"],
    test_x: Float[np.ndarray, "m d"],
    test_y: Int[np.ndarray, " m"],
    *,
    strength: float = 0.1,
    iterations: int = 300,
) -> float:
    """Accuracy of multinomial logistic regression on columns standardised by the training rows, in [0, 1].

    Constant columns stay constant. A fit that stops at the iteration limit counts as it is: the penalty keeps it tame.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    make_params(LinearParams, {"strength": strength, "iterations": iterations})
    check_split(train_x, train_y, test_x, test_y)
    mean, std = train_x.mean(axis=0, dtype=np.float64), train_x.std(axis=0, dtype=np.float64)
    std = np.where(std > 1e-12 * max(1e-300, float(np.abs(train_x).max())), std, 1.0)
    model = LogisticRegression(C=strength, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((train_x - mean) / std, train_y)
    return float(model.score((test_x - mean) / std, test_y))


def linear_probe(
    train_x: Float[np.ndarray, "n d"],
    train_y: Int[np.ndarray, " n"],
    test_x: Float[np.ndarray, "m d"],
    test_y: Int[np.ndarray, " m"],
    *,
    seed: int = 0,
    labels: float = 1.0,
    **params: Any,
) -> ProbeResult:
    """Linear classification of frozen embeddings from a share of the training labels.

    Raises:
        DataError: sizes do not fit, NaN or infinity, fewer than 2 classes.
        ConfigError: labels outside (0, 1].
    """
    return _probe("linear", train_x, train_y, test_x, test_y, labels, seed, params)


def label_subset(labels: Int[np.ndarray, " n"], share: float, seed: int = 0) -> Int[np.ndarray, " m"]:
    """Rows whose labels may be seen: the share of each class, rounded, at least one row of each; sorted.

    Raises:
        ConfigError: share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ConfigError(sentence("labels", "a share above 0, at most 1", share, "write 0.01 for 1 %"))
    draw = np.random.default_rng(seed)
    chosen = []
    for c in np.unique(labels):
        rows = draw.permutation(np.flatnonzero(labels == c))
        chosen.append(rows[: max(1, round(share * len(rows)))])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _entry(method: str, given: Literal["embeddings", "pictures"]) -> Probe:
    probe = pick(PROBES, method, "method")
    if probe.needs != given:
        rule = f"one of {', '.join(name for name in PROBES if needs(name) == given)} for {given}"
        raise ConfigError(sentence("method", rule, method, f"{method} needs {probe.needs}"))
    return probe


def needs(method: str) -> Literal["embeddings", "pictures"]:
    """What a probe works on. An unknown one is a `ConfigError` that names them all."""
    return pick(PROBES, method, "method").needs


def _probe(
    method: str,
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    share: float,
    seed: int,
    params: dict[str, Any],
) -> ProbeResult:
    check_split(train_x, train_y, test_x, test_y)
    seen = label_subset(train_y, share, seed)
    choice = _entry(method, "embeddings")
    make_params(choice.params, params)
    accuracy = choice.run(train_x[seen], train_y[seen], test_x, test_y, **params)
    return ProbeResult(accuracy=accuracy, method=method, labels=share, n_train=len(seen), n_test=len(test_y), seed=seed)


def run_probe(
    train: EmbeddingTable,
    test: EmbeddingTable,
    method: str = "knn",
    *,
    share: float = 1.0,
    seed: int = 0,
    space: Space = "h",
    **params: Any,
) -> ProbeResult:
    """One probe of `PROBES` that needs embeddings, on two tables of them.

    Raises:
        DataError: no labels, or a space that is not there. ConfigError: unknown method or parameter.
    """
    if train.label is None or test.label is None:
        raise DataError("`label` must be known of every row, got a table without labels; a probe needs classes to read")
    return _probe(method, train.space(space), train.label, test.space(space), test.label, share, seed, params)


def label_efficiency(
    train_x: Float[np.ndarray, "n d"],
    train_y: Int[np.ndarray, " n"],
    test_x: Float[np.ndarray, "m d"],
    test_y: Int[np.ndarray, " m"],
    *,
    shares: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 3,
    seed: int = 0,
    method: str = "linear",
    progress: Progress = silent,
) -> list[ProbeResult]:
    """The probe over growing shares of the labels, each drawn several times: seeds seed, seed + 1, …

    All labels can be drawn in one way only, so a share of 1 is run once.
    """
    plan = [(share, seed + i) for share in shares for i in range(draws if share < 1 else 1)]
    results = []
    for i, (share, draw) in enumerate(plan):
        if progress(i / len(plan), f"{share:.0%}"):
            raise Stopped
        results.append(_probe(method, train_x, train_y, test_x, test_y, share, draw, {}))
    return results


def fine_tune(
    encoder: Any,
    train: ImageSet,
    test: ImageSet,
    *,
    share: float = 1.0,
    seed: int = 0,
    method: str = "finetune",
    progress: Progress = silent,
    **params: Any,
) -> ProbeResult:
    """One probe of `PROBES` that needs pictures: train the whole network, not a layer on top, on a share of the labels.

    Args:
        encoder: a `checkpoints.Encoder`.
        train, test: pictures with labels.
        share: of the training labels, in (0, 1], drawn with `seed`.
        method: "finetune" starts from the encoder's weights, "supervised" from the same network before any training.
        params: fields of the method's parameter record.

    Raises:
        DataError: pictures without labels. ConfigError: a share outside (0, 1], an unknown method or parameter.
    """
    choice = _entry(method, "pictures")
    make_params(choice.params, params)
    if train.label is None or test.label is None:
        raise DataError(
            "`label` must be known of every picture, got pictures without labels; a probe needs classes to read"
        )
    check_classes(train.label)
    seen = label_subset(train.label, share, seed)
    accuracy = choice.run(encoder, train, test, seen=seen, seed=seed, progress=progress, **params)
    return ProbeResult(accuracy=accuracy, method=method, labels=share, n_train=len(seen), n_test=len(test), seed=seed)


def _finetune(encoder: Any, train: ImageSet, test: ImageSet, **settings: Any) -> float:
    from simclr_core.finetune import fit_and_score

    return fit_and_score(encoder, train, test, **settings)


def _supervised(encoder: Any, train: ImageSet, test: ImageSet, **settings: Any) -> float:
    from simclr_core.finetune import fit_and_score, untrained

    return fit_and_score(untrained(encoder), train, test, **settings)


PROBES: dict[str, Probe] = {
    "knn": Probe(
        label=Label("nearest neighbours", "近邻投票"),
        run=knn_accuracy,
        params=KnnParams,
        source="Wu et al. 2018 (InstDisc), §3.4",
        help=Label("Nothing is trained: the nearest labelled images vote.", "无需训练：由最近的有标签图像投票。"),
    ),
    "linear": Probe(
        label=Label("linear classifier", "线性分类器"),
        run=linear_accuracy,
        params=LinearParams,
        source="SimCLR, Chen et al. 2020, appendix B.6",
        help=Label(
            "One linear layer on frozen h: the field's usual measure.", "在冻结的 h 上训练一个线性层：通用的评测方法。"
        ),
    ),
    "finetune": Probe(
        label=Label("fine-tuned", "微调"),
        run=_finetune,
        params=FineTuneParams,
        needs="pictures",
        source="Chen et al. 2020, section 4.2 and appendix B.5, shortened",
        help=Label(
            "The whole network goes on learning from the labels: what SimCLR is worth as a start.",
            "整个网络继续用标签训练：衡量 SimCLR 作为起点的价值。",
        ),
    ),
    "supervised": Probe(
        label=Label("supervised from scratch", "从零开始的监督训练"),
        run=_supervised,
        params=FineTuneParams,
        needs="pictures",
        source="Chen et al. 2020, section 4.2: the supervised baseline, shortened",
        help=Label(
            "The same network learns from the labels alone: what the fine-tuned one is compared with.",
            "同一网络只用标签从头训练：作为微调的对照。",
        ),
    ),
}
