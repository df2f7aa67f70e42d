"""Classification by the votes of nearest neighbours: no fitting, so it is what a run watches itself by.

Legend: n bank rows that vote, m queries, d width of the embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import DataError, sentence
from simclr_core.neighbours import nearest_to
from simclr_core.records import require_finite
from simclr_core.registry import Label, Params, make_params, number


@dataclass(frozen=True, slots=True, kw_only=True)
class KnnParams(Params):
    """The weighted vote of InstDisc."""

    k: int = number(20, 1, 1000, Label("Neighbours", "近邻数"), integer=True)
    temperature: float = number(0.1, 0.001, 100, Label("Vote temperature", "投票温度系数"), log=True)


def check_split(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> None:
    """Refuse rows without labels, of two widths, not finite, or of one class alone."""
    for name, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
        if x.ndim != 2 or len(x) < 1 or len(x) != len(y):
            found = (x.shape, y.shape)
            raise DataError(sentence(name, "a matrix with as many labels as rows, at least 1", found, "align the rows"))
        require_finite(name, x)
    if train_x.shape[1] != test_x.shape[1]:
        widths = (train_x.shape[1], test_x.shape[1])
        raise DataError(sentence("test", "as wide as train", widths, "encode both with one encoder"))
    check_classes(train_y)


def check_classes(label: np.ndarray) -> None:
    """Refuse labels of one class alone."""
    if len(np.unique(label)) < 2:
        found = np.unique(label).tolist()
        raise DataError(sentence("train labels", "of at least 2 classes", found, "one class leaves nothing to tell"))


def knn_predict(
    bank: Float[np.ndarray, "n d"],
    bank_label: Int[np.ndarray, " n"],
    query: Float[np.ndarray, "m d"],
    *,
    k: int = 20,
    temperature: float = 0.1,
) -> Int[np.ndarray, " m"]:
    """The class of each query by the votes of its k nearest bank rows, each weighing exp(cosine / temperature).

    Source: Wu et al. 2018 (InstDisc), section 3.4.
    """
    graph = nearest_to(query, bank, k)
    classes, column = np.unique(bank_label, return_inverse=True)
    # Against the nearest neighbour's cosine, so that no vote overflows at a small temperature.
    weight = np.exp((graph.distance[:, :1] - graph.distance) / temperature)
    votes = np.zeros((len(query), len(classes)))
    np.add.at(votes, (np.arange(len(query))[:, None], column[graph.index]), weight)
    return classes[votes.argmax(axis=1)]


def knn_accuracy(
    bank: Float[np.ndarray, "n d"],
    bank_label: Int[np.ndarray, " n"],
    query: Float[np.ndarray, "m d"],
    query_label: Int[np.ndarray, " m"],
    *,
    k: int = 20,
    temperature: float = 0.1,
) -> float:
    """Share of queries whose class the weighted vote of their k nearest bank rows names, in [0, 1].

    Args:
        bank, bank_label: embeddings and classes that vote; never rows of the query.
        query, query_label: embeddings and classes to be found.
        k: voters; a smaller bank votes as a whole.
        temperature: of the weights exp(cosine / temperature); large = one voter, one vote.

    Raises:
        DataError: sizes do not fit, NaN or infinity, a bank of one class.
        ConfigError: k < 1 or temperature ≤ 0.
    """
    make_params(KnnParams, {"k": k, "temperature": temperature})
    check_split(bank, bank_label, query, query_label)
    found = knn_predict(bank, bank_label, query, k=min(k, len(bank)), temperature=temperature)
    return float((found == query_label).mean())
