import numpy as np
import pytest

from simclr_core.errors import ConfigError, DataError
from simclr_core.knn import knn_predict
from simclr_core.probes import (
    PROBES,
    ProbeResult,
    knn_accuracy,
    label_efficiency,
    label_subset,
    linear_accuracy,
    linear_probe,
    needs,
    run_probe,
)
from simclr_core.progress import Stopped
from simclr_core.records import EmbeddingTable


@pytest.fixture
def classes(rng):
    """Three overlapping classes in 8 dimensions: train and test."""
    centre = 1.2 * rng.standard_normal((3, 8))
    label = rng.integers(0, 3, 400)
    x = centre[label] + rng.standard_normal((400, 8))
    return x[:300], label[:300], x[300:], label[300:]


def test_knn_equals_a_loop(classes):
    bank, bank_label, query, _ = classes
    found = knn_predict(bank, bank_label, query, k=7, temperature=0.2)
    u = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    for q, answer in zip(query, found, strict=True):
        cosine = u @ (q / np.linalg.norm(q))
        votes = dict.fromkeys(range(3), 0.0)
        for i in np.argsort(-cosine)[:7]:
            votes[int(bank_label[i])] += np.exp(cosine[i] / 0.2)
        assert answer == max(votes, key=votes.get)


def test_knn_equals_scikit_learn(classes):
    from sklearn.neighbors import KNeighborsClassifier

    bank, bank_label, query, query_label = classes
    model = KNeighborsClassifier(20, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.1)).fit(bank, bank_label)
    assert knn_accuracy(bank, bank_label, query, query_label) == model.score(query, query_label)


def test_knn_by_hand():
    bank, label = np.array([[1.0, 0], [1, 0.1], [0, 1]]), np.array([5, 5, 9])
    assert knn_accuracy(bank, label, np.array([[1.0, 0.2], [0.1, 1]]), np.array([5, 9]), k=1) == 1
    # With every row voting alike, the majority wins.
    assert knn_accuracy(bank, label, np.array([[0.1, 1.0]]), np.array([9]), k=20, temperature=100) == 0
    assert knn_accuracy(bank, label, np.array([[0.1, 1.0]]), np.array([9]), k=20, temperature=0.001) == 1


def test_linear_equals_scikit_learn(classes):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_x, train_y, test_x, test_y = classes
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)).fit(train_x, train_y)
    assert linear_accuracy(train_x, train_y, test_x, test_y) == model.score(test_x, test_y)


def test_linear_takes_constant_columns_and_any_scale(classes):
    train_x, train_y, test_x, test_y = classes
    plain = linear_accuracy(train_x, train_y, test_x, test_y)

    def widen(x):
        return np.column_stack([x * 1e6, np.full(len(x), 3.0)])

    assert linear_accuracy(widen(train_x), train_y, widen(test_x), test_y) == plain


def test_linear_standardises_by_the_training_rows_alone(classes):
    train_x, train_y, test_x, test_y = classes
    scale = 10.0 ** np.arange(-4, 4)
    train_x, test_x = train_x * scale, test_x * scale
    each = [linear_accuracy(train_x, train_y, test_x[i : i + 1], test_y[i : i + 1]) for i in range(20)]
    assert np.mean(each) == linear_accuracy(train_x, train_y, test_x[:20], test_y[:20])


def test_linear_that_does_not_converge_raises_no_warning(classes):
    assert linear_accuracy(*classes, iterations=1) >= 0


def test_linear_probe_tells_what_it_saw(classes):
    result = linear_probe(*classes, seed=4, labels=0.1)
    assert result == ProbeResult(
        accuracy=result.accuracy,
        method="linear",
        labels=0.1,
        n_train=len(label_subset(classes[1], 0.1)),
        n_test=100,
        seed=4,
    )
    assert linear_probe(*classes, seed=4, labels=0.1) == result


def test_label_subset_is_stratified_and_seeded(rng):
    label = np.repeat([0, 1, 2], [1000, 200, 3])
    rows = label_subset(label, 0.05, 1)
    assert np.bincount(label[rows]).tolist() == [50, 10, 1]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, label_subset(label, 0.05, 1))
    assert (rows != label_subset(label, 0.05, 2)).any()
    np.testing.assert_array_equal(label_subset(label, 1.0), np.arange(1203))
    for share in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="labels"):
            label_subset(label, share)


def test_label_efficiency_grows_with_labels(classes):
    heard = []
    results = label_efficiency(
        *classes, shares=(0.02, 0.2, 1.0), draws=4, progress=lambda share, text: bool(heard.append(share))
    )
    assert [(r.labels, r.seed) for r in results] == [(s, i) for s in (0.02, 0.2) for i in range(4)] + [(1.0, 0)]
    mean = [np.mean([r.accuracy for r in results if r.labels == s]) for s in (0.02, 0.2, 1.0)]
    assert mean[0] < mean[2]
    assert heard == sorted(heard)
    with pytest.raises(Stopped):
        label_efficiency(*classes, progress=lambda share, text: True)


def test_run_probe_on_tables(classes):
    train_x, train_y, test_x, test_y = classes
    train = EmbeddingTable(h=train_x, z=None, label=train_y, index=np.arange(300))
    test = EmbeddingTable(h=test_x, z=None, label=test_y, index=np.arange(100))
    for method in (name for name in PROBES if needs(name) == "embeddings"):
        result = run_probe(train, test, method, share=0.5)
        assert (result.method, result.n_test) == (method, 100)
        assert 1 / 3 < result.accuracy <= 1
    with pytest.raises(ConfigError, match="method"):
        run_probe(train, test, "mlp")
    with pytest.raises(ConfigError, match="finetune needs pictures"):
        run_probe(train, test, "finetune")
    with pytest.raises(ConfigError, match="parameter"):
        run_probe(train, test, "knn", strength=1)
    with pytest.raises(DataError, match="space"):
        run_probe(train, test, "knn", space="z")
    with pytest.raises(DataError, match="labels"):
        run_probe(train, EmbeddingTable(h=test_x, z=None, index=np.arange(100)))


@pytest.mark.parametrize("probe", [knn_accuracy, linear_accuracy])
def test_bad_input_is_a_sentence(probe, classes):
    train_x, train_y, test_x, test_y = classes
    with pytest.raises(DataError, match="at least 2 classes"):
        probe(train_x, np.zeros_like(train_y), test_x, test_y)
    bad = train_x.copy()
    bad[7, 0] = np.inf
    with pytest.raises(DataError, match="row 7"):
        probe(bad, train_y, test_x, test_y)


def test_bad_parameters_are_sentences(classes):
    with pytest.raises(ConfigError, match="temperature"):
        knn_accuracy(*classes, temperature=0.0)
    with pytest.raises(ConfigError, match="strength"):
        linear_accuracy(*classes, strength=0.0)
