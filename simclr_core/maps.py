"""`MAPS`: pictures of an embedding space in 2 or 3 axes by PCA, t-SNE and UMAP, and how far to trust one.

A map is a picture, not a measurement: positions carry no unit, and only "who is near whom" is meant. Trustworthiness
says how much of even that survived. t-SNE and UMAP are fed with our exact neighbours, so that both see the same graph,
no approximate search is compiled, and equal rows (what a collapsed encoder makes) are an ordinary case.

Shapes: x (n, d), a map (n, dims). Heavy libraries are imported where they are used.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.neighbours import nearest, unit_rows
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import Map, NeighbourGraph, require_finite
from simclr_core.registry import Choice, Label, Params, make_params, number, option, pick, switch
from simclr_core.trust import trustworthiness

MIN_ROWS = 5
SEARCH_SHARE, DRAWN_SHARE = 0.1, 0.95  # of the progress bar: neighbours, then the drawing, then the trustworthiness
_AUTO = Label("automatic", "自动")
_METRICS = {"cosine": Label("cosine", "余弦"), "euclidean": Label("Euclidean", "欧氏")}
_METRIC_HELP = Label(
    "cosine ignores the length of a row, as SimCLR's loss does", "余弦忽略向量长度，与 SimCLR 的损失一致"
)

Drawn = tuple[np.ndarray, Params]
"""What a method returns: positions, and its parameters as they were really used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PcaParams(Params):
    """Whether PCA sees the rows' directions only."""

    normalise: bool = switch(
        True,
        Label("Unit-length rows", "行向量归一化"),
        Label("see directions only, as the cosine does", "只看方向，与余弦一致"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TsneParams(Params):
    """Parameters of t-SNE; the defaults are openTSNE's."""

    perplexity: float | None = number(
        None,
        1,
        500,
        Label("Perplexity", "困惑度"),
        Label(
            "how many neighbours a point listens to; automatic: 30, or (n − 1)/3 of few rows",
            "每个点关注的邻居数；自动：30，行数少时为 (n − 1)/3",
        ),
        auto=_AUTO,
    )
    exaggeration: float = number(
        12, 1, 50, Label("Early exaggeration", "早期放大"), Label("pulls clusters together first", "先把簇聚拢")
    )
    early_iterations: int = number(250, 0, 2000, Label("Early iterations", "早期迭代"), integer=True)
    iterations: int = number(500, 0, 5000, Label("Iterations", "迭代次数"), integer=True)
    metric: str = option("cosine", _METRICS, Label("Distance", "距离"), _METRIC_HELP)


@dataclass(frozen=True, slots=True, kw_only=True)
class UmapParams(Params):
    """Parameters of UMAP; the defaults are umap-learn's."""

    n_neighbors: int | None = number(
        None,
        2,
        500,
        Label("Neighbours", "邻居数"),
        Label(
            "the point itself counts; few: fine detail, many: the large picture; automatic: 15, or n of fewer rows",
            "包括该点自身；少：细节，多：全局；自动：15，行数不足时为 n",
        ),
        integer=True,
        auto=_AUTO,
    )
    min_dist: float = number(
        0.1, 0, 0.99, Label("Minimum distance", "最小距离"), Label("how tightly points may pack", "点可以多紧密")
    )
    epochs: int | None = number(
        None,
        10,
        5000,
        Label("Epochs", "轮数"),
        Label("automatic: 500 up to 10,000 rows, 200 above", "自动：一万行以内 500，以上 200"),
        integer=True,
        auto=_AUTO,
    )
    metric: str = option("cosine", _METRICS, Label("Distance", "距离"), _METRIC_HELP)


def principal_axes(x: np.ndarray, dims: int) -> np.ndarray:
    """Coordinates on the first principal axes, (n, dims) float64; signs fixed, missing axes are zero.

    The smaller of the two Gram matrices is decomposed: d × d for many rows, n × n for wide ones.
    """
    c = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    wide = c.shape[1] > c.shape[0]
    values, vectors = np.linalg.eigh(c @ c.T if wide else c.T @ c)
    order = np.argsort(values)[::-1][:dims]
    scale = np.sqrt(np.maximum(values[order], 0.0))
    xy = vectors[:, order] * scale if wide else c @ vectors[:, order]
    extreme = np.abs(xy).argmax(axis=0)
    xy *= np.where(xy[extreme, np.arange(xy.shape[1])] < 0, -1.0, 1.0)
    return np.pad(xy, ((0, 0), (0, dims - xy.shape[1])))


def _start(x: np.ndarray, dims: int, seed: int, spread: float) -> np.ndarray:
    """PCA positions of a given spread with a breath of seeded noise, so that equal rows do not start on one point."""
    xy = principal_axes(x, dims)
    xy /= max(float(xy.std(axis=0).max()), 1e-12)
    return spread * (xy + 1e-3 * np.random.default_rng(seed).standard_normal(xy.shape))


def _pca(x: np.ndarray, dims: int, params: PcaParams, seed: int, progress: Progress) -> Drawn:
    return principal_axes(unit_rows(x) if params.normalise else x, dims), params


def _search(x: np.ndarray, k: int, metric: str, progress: Progress) -> NeighbourGraph:
    return nearest(x, k, metric, progress=lambda share, message: progress(SEARCH_SHARE * share, message))


def _drawing(done: int, total: int) -> float:
    """The share of the bar after some of the drawing's steps."""
    return SEARCH_SHARE + (DRAWN_SHARE - SEARCH_SHARE) * done / max(1, total)


def _perplexity(params: TsneParams, n: int) -> float:
    limit = (n - 1) / 3
    if params.perplexity is None:
        return min(30.0, limit)
    if params.perplexity > limit:
        rule = f"at most (n − 1)/3 = {limit:.4g} for {n} rows"
        raise ConfigError(sentence("perplexity", rule, params.perplexity, "lower it or map more rows"))
    return params.perplexity


class _TsneWatch:
    """Counts iterations of one phase and passes them on; openTSNE stops with a result when it returns True."""

    every = 10

    def __init__(self, progress: Progress, phases: tuple[int, int]) -> None:
        self.progress, self.phases, self.phase, self.stopped = progress, phases, 0, False
        self.done = [0, 0]

    def __call__(self, iteration: int, error: float, embedding: np.ndarray) -> bool:
        self.done[self.phase] = iteration - 1  # asked before the step: what a stop hands back has one step less
        done, total = sum(self.done), sum(self.phases)
        self.stopped = self.progress(_drawing(done, total), f"t-SNE {done}/{total}")
        return self.stopped


def _tsne(x: np.ndarray, dims: int, params: TsneParams, seed: int, progress: Progress) -> Drawn:
    import openTSNE
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    perplexity = _perplexity(params, len(x))
    graph = _search(x, min(len(x) - 1, max(1, int(3 * perplexity))), params.metric, progress)
    # openTSNE squares distances inside its kernel: of unit rows, the squared chord is 2 (1 − cosine).
    far = np.sqrt(2 * np.maximum(graph.distance, 0)) if params.metric == "cosine" else graph.distance
    known = PrecomputedNeighbors(graph.index.astype(np.int64), far.astype(np.float64))
    affinities = openTSNE.affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=known)
    rows = unit_rows(x) if params.metric == "cosine" else x
    watch = _TsneWatch(progress, (params.early_iterations, params.iterations))
    state = openTSNE.TSNEEmbedding(
        _start(rows, dims, seed, 1e-4),
        affinities,
        negative_gradient_method="fft" if dims == 2 and len(x) >= 10_000 else "bh",  # the FFT grid is 2-D only
        random_state=seed,
        callbacks=watch,
        callbacks_every_iters=watch.every,
    )
    phases = ((params.early_iterations, params.exaggeration, 0.5), (params.iterations, 1.0, 0.8))
    for watch.phase, (steps, exaggeration, momentum) in enumerate(phases):
        if steps and not watch.stopped:
            state = state.optimize(steps, exaggeration=exaggeration, momentum=momentum)
            watch.done[watch.phase] = watch.done[watch.phase] if watch.stopped else steps
    early, late = watch.done
    used = replace(params, perplexity=float(perplexity), early_iterations=early, iterations=late)
    return np.asarray(state, dtype=np.float64), used


def _n_neighbors(params: UmapParams, n: int) -> int:
    if params.n_neighbors is None:
        return min(15, n)
    if params.n_neighbors > n:
        rule = f"at most the number of rows, {n}"
        raise ConfigError(sentence("n_neighbors", rule, params.n_neighbors, "lower it or map more rows"))
    return params.n_neighbors


class _UmapWatch:
    """The file that UMAP's tqdm bar writes to: the only place in its loop where we are called."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self.progress, self.epochs, self.stopped = progress, epochs, False

    def write(self, text: str) -> None:
        done = text.strip().partition("/")[0]
        if not done.isdigit() or self.stopped:  # the bar also writes blanks, and once more while an exception passes
            return
        self.stopped = self.progress(_drawing(int(done), self.epochs), f"UMAP {done}/{self.epochs}")
        if self.stopped:
            raise Stopped("UMAP was asked to stop; it has no partial map")

    def flush(self) -> None:
        """Nothing is buffered."""


def _umap(x: np.ndarray, dims: int, params: UmapParams, seed: int, progress: Progress) -> Drawn:
    k = _n_neighbors(params, len(x))
    epochs = params.epochs or (500 if len(x) <= 10_000 else 200)
    graph = _search(x, k - 1, params.metric, progress)
    itself = np.arange(len(x))[:, None]
    index = np.hstack([itself, graph.index]).astype(np.int32)
    far = np.hstack([np.zeros_like(itself, dtype=np.float32), graph.distance]).astype(np.float32)
    rows = unit_rows(x) if params.metric == "cosine" else x
    watch = _UmapWatch(progress, epochs)
    progress(SEARCH_SHARE, "UMAP: compiling")
    with warnings.catch_warnings():  # no TensorFlow, one thread, no search index: all three are meant
        warnings.simplefilter("ignore")
        import umap

        model = umap.UMAP(
            n_neighbors=k,
            n_components=dims,
            min_dist=params.min_dist,
            n_epochs=epochs,
            metric=params.metric,
            init=_start(rows, dims, seed, 1.0),
            precomputed_knn=(index, far),
            random_state=seed,
            n_jobs=1,
            tqdm_kwds={"file": watch, "disable": False, "bar_format": "{n_fmt}/{total_fmt}", "miniters": 1},
        )
        xy = model.fit_transform(x.astype(np.float32))
    return np.asarray(xy, dtype=np.float64), replace(params, n_neighbors=k, epochs=epochs)


def _by_cosine(params: TsneParams | UmapParams) -> bool:
    return params.metric == "cosine"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMethod(Choice[Callable[[np.ndarray, int, Any, int, Progress], Drawn]]):
    """An entry of `MAPS`: `run(x, dims, params, seed, progress)`.

    The entries stand from the plainest to the one worth seeing first: of several maps of a run, a page opens the last.

    Attributes:
        by_direction: whether, with these parameters, only the rows' directions were looked at; the trustworthiness of the
            map is then measured among directions too.
    """

    by_direction: Callable[[Any], bool]


MAPS: dict[str, MapMethod] = {
    "pca": MapMethod(
        label=Label("PCA", "PCA 主成分"),
        run=_pca,
        params=PcaParams,
        by_direction=lambda params: params.normalise,
        source="Pearson 1901",
        help=Label(
            "Linear: the axes of largest variance. Far apart here is far apart there; near here may still be far in "
            "the axes not drawn, so overlapping classes prove nothing.",
            "线性：取方差最大的方向。图中远则原空间中也远；图中近却可能在未画出的方向上相距很远，因此类别重叠不能说明问题。",
        ),
    ),
    "tsne": MapMethod(
        label=Label("t-SNE", "t-SNE"),
        run=_tsne,
        params=TsneParams,
        by_direction=_by_cosine,
        source="van der Maaten & Hinton 2008; PCA start and learning rate n/exaggeration after Kobak & Berens 2019",
        help=Label(
            "Only who is near whom is meant. The size of a cluster, the gap between two and empty space mean nothing; "
            "a small perplexity finds clusters even in noise. Try two seeds and two perplexities.",
            "只有“谁与谁相邻”可信。簇的大小、簇间距离和空白都没有意义；困惑度过小时，噪声中也会出现簇。请换种子和困惑度各试一次。",
        ),
    ),
    "umap": MapMethod(
        label=Label("UMAP", "UMAP"),
        run=_umap,
        params=UmapParams,
        by_direction=_by_cosine,
        source="McInnes, Healy & Melville 2018; PCA start after Kobak & Linderman 2021",
        help=Label(
            "Who is near whom is meant, and roughly which clusters touch. Gaps are exaggerated: a small minimum "
            "distance makes clusters look more separate than they are. Density is not kept.",
            "可信的是“谁与谁相邻”，以及大致哪些簇相接。间隔被夸大：最小距离越小，簇看起来越分离。密度信息不保留。",
        ),
    ),
}


def _check(x: np.ndarray, dims: int, seed: int, progress: Progress) -> None:
    if x.ndim != 2 or len(x) < MIN_ROWS:
        raise DataError(sentence("x", f"a matrix (n, d) of at least {MIN_ROWS} rows", x.shape, "encode more images"))
    require_finite("x", x)
    if dims not in (2, 3):
        raise ConfigError(sentence("dims", "2 or 3", dims, "choose one of the two"))
    if seed < 0:
        raise ConfigError(sentence("seed", "0 or larger", seed, "choose another"))
    if progress(0.0, "neighbours"):
        raise Stopped("the map was asked to stop before it began")


def make_map(
    x: Float[np.ndarray, "n d"],
    method: str,
    dims: int = 2,
    *,
    seed: int = 0,
    index: Int[np.ndarray, " n"] | None = None,
    label: Int[np.ndarray, " n"] | None = None,
    space: str = "h",
    progress: Progress = silent,
    **params: Any,
) -> Map:
    """Draw a map of an embedding matrix; the same seed gives the same map on the same machine.

    Args:
        x: one row an image, finite; h or z.
        method: a name of `MAPS`.
        dims: 2 or 3 axes.
        seed: start of every random draw.
        index, label: carried into the map; index defaults to the row number.
        space: what x is, "h" or "z"; carried into the map.
        progress: told the share done; t-SNE stops with the map it has, UMAP and PCA raise `Stopped`.
        params: fields of the method's parameter record.

    Returns:
        A `Map`; its `params` are the ones really used (automatic ones filled in, iterations as far as they went).

    Raises:
        ConfigError: unknown method or parameter, or one too large for n: it is never replaced.
        DataError: x is not a finite matrix of at least 5 rows.
        Stopped: asked to stop with nothing to show, as while neighbours are searched.
    """
    choice = pick(MAPS, method, "method")
    record = make_params(choice.params, params)
    _check(x, dims, seed, progress)
    began = time.perf_counter()
    xy, used = choice.run(x, dims, record, seed, progress)
    progress(DRAWN_SHARE, "trustworthiness")
    trust = trustworthiness(unit_rows(x) if choice.by_direction(used) else x, xy, seed=seed)
    seconds = time.perf_counter() - began
    progress(1.0, "done")
    return Map(
        xy=(xy - xy.mean(axis=0)).astype(np.float32),
        index=np.arange(len(x)) if index is None else index,
        label=label,
        method=method,
        space=space,
        params=asdict(used),
        seed=seed,
        seconds=seconds,
        trustworthiness=trust,
    )
