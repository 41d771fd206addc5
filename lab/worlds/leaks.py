"""The leak certificate: the accuracy of probes that predict the label from simple statistics.

Probes are classifiers trained on simple image statistics (color, edges), which contain no shapes.
Their accuracy on unseen pictures should be near chance; otherwise a network could learn such a
statistic in place of the task.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lab.core.estimate import Estimate, wilson
from lab.core.words import estimated
from lab.worlds.examples import Examples
from lab.worlds.statistics import MEAN_COLOR, NAMES, cheap_statistics

Numbers = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

ALLOWED_ALL = 0.10
"""How far above chance a probe of all statistics may be."""
ALLOWED_COLOR = 0.05
"""How far above chance a probe of the mean color may be."""

TREE = "boosted tree"
LINEAR = "logistic regression"


@dataclass(frozen=True)
class Probe:
    """The accuracy of one classifier on unseen pictures, and its bound."""

    model: str
    statistics: str
    accuracy: Estimate
    bound: float

    @property
    def leaks(self) -> bool:
        """Whether the bound is exceeded."""
        return self.accuracy.value > self.bound


@dataclass(frozen=True)
class SubpopulationLeak:
    """How well probes recognize one subpopulation."""

    kind: str
    called_right: Estimate
    """Share of the subpopulation that the tree over all statistics, trained on the whole
    population, classifies correctly."""
    accuracy: Estimate
    """Accuracy of a tree trained on this subpopulation against the other classes, equally many of
    each (chance: 0.5)."""
    informative: tuple[tuple[str, float], ...]
    """The statistics that the second tree uses most, each with its permutation importance."""


@dataclass(frozen=True)
class Certificate:
    """The results of all probes of a population."""

    probes: tuple[Probe, ...]
    subpopulations: tuple[SubpopulationLeak, ...]
    informative: tuple[tuple[str, float], ...]
    """The same for the tree over all statistics."""

    @property
    def clean(self) -> bool:
        """Whether every probe stays within its bound."""
        return not any(probe.leaks for probe in self.probes)


def certificate(train: Examples, test: Examples, *, by_subpopulation: bool = True) -> Certificate:
    """Train the probes on `train`, judge them on `test`, both by their clean labels.

    `by_subpopulation` adds the trees that tell which subpopulation leaks, and how. Raises
    `ValueError` if scikit-learn, which the dev extra brings, is missing.
    """
    x, y = cheap_statistics(train.images.cpu()).numpy(), train.clean_labels.cpu().numpy()
    x_test, y_test = cheap_statistics(test.images.cpu()).numpy(), test.clean_labels.cpu().numpy()
    chance = 1 / len(test.classes)
    color = len(MEAN_COLOR)
    probes = []
    tree = _fit(TREE, x, y)
    for model in (TREE, LINEAR):
        fitted = tree if model == TREE else _fit(model, x, y)
        accuracy = _accuracy(fitted, x_test, y_test)
        probes.append(Probe(model, "all", accuracy, chance + ALLOWED_ALL))
    for model in (TREE, LINEAR):
        fitted = _fit(model, x[:, :color], y)
        accuracy = _accuracy(fitted, x_test[:, :color], y_test)
        probes.append(Probe(model, "mean color", accuracy, chance + ALLOWED_COLOR))
    found: list[SubpopulationLeak] = []
    if by_subpopulation:
        right = tree.predict(x_test) == y_test
        for code, kind in enumerate(test.all_subpopulations):
            mine = test.subpopulations.cpu().numpy() == code
            pair, pair_test = _pair(train, code), _pair(test, code)
            if mine.any() and len(pair) and len(pair_test):
                alone = _fit(TREE, x[pair], y[pair] == kind.label)
                xp, yp = x_test[pair_test], y_test[pair_test] == kind.label
                found.append(
                    SubpopulationLeak(
                        kind.name,
                        wilson(int(right[mine].sum()), int(mine.sum())),
                        _accuracy(alone, xp, yp),
                        _telling(alone, xp, yp),
                    )
                )
    return Certificate(tuple(probes), tuple(found), _telling(tree, x_test, y_test))


def tree_accuracy(train: Examples, test: Examples) -> Estimate:
    """The accuracy of the boosted tree over all statistics on `test`, as in `certificate`."""
    x, y = cheap_statistics(train.images.cpu()).numpy(), train.clean_labels.cpu().numpy()
    x_test, y_test = cheap_statistics(test.images.cpu()).numpy(), test.clean_labels.cpu().numpy()
    return _accuracy(_fit(TREE, x, y), x_test, y_test)


def to_text(result: Certificate) -> str:
    """The certificate as a table for people."""
    lines = [f"{'probe':<20} {'statistics':<11} {'accuracy on unseen pictures':<28} bound"]
    for probe in result.probes:
        lines.append(
            f"{probe.model:<20} {probe.statistics:<11} {estimated(probe.accuracy, 3):<28} "
            f"{probe.bound:.2f}  {'LEAKS' if probe.leaks else 'ok'}"
        )
    lines += ["", "most important statistics of the tree over all (accuracy lost when permuted):"]
    lines.append("  " + _list(result.informative))
    if result.subpopulations:
        lines += [
            "",
            f"{'subpopulation':<15} {'accuracy on it':<22} alone against the other classes",
        ]
    for kind in result.subpopulations:
        lines.append(
            f"{kind.kind:<15} {estimated(kind.called_right, 3):<22} {estimated(kind.accuracy, 3)}"
        )
        lines.append(f"{'':<15} by {_list(kind.informative)}")
    return "\n".join(lines)


def _list(informative: tuple[tuple[str, float], ...]) -> str:
    return "; ".join(f"{name} {lost:.3f}" for name, lost in informative[:2])


def _pair(examples: Examples, kind: int) -> Labels:
    """Positions of the examples of a subpopulation and of as many with other labels, the first of
    each."""
    mine = (examples.subpopulations == kind).nonzero()[:, 0].cpu()
    other = examples.clean_labels != examples.all_subpopulations[kind].label
    others = other.nonzero()[:, 0].cpu()
    count = min(len(mine), len(others))
    return torch.cat([mine[:count], others[:count]]).sort().values.numpy()


def _fit(model: str, x: Numbers, y: npt.NDArray[Any]) -> Any:
    """A classifier trained on statistics `x` (N, F) and labels `y` (N,)."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise ValueError(
            "the leak certificate needs scikit-learn: pip install -e '.[dev]'"
        ) from None
    if model == TREE:
        return HistGradientBoostingClassifier(random_state=0, early_stopping=False).fit(x, y)
    # The penalty bounds the weights of collinear statistics.
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(x, y)


def _accuracy(fitted: Any, x: Numbers, y: npt.NDArray[Any]) -> Estimate:
    return wilson(int((fitted.predict(x) == y).sum()), len(y))


def _telling(
    fitted: Any, x: Numbers, y: npt.NDArray[Any], *, rows: int = 1000, top: int = 5
) -> tuple[tuple[str, float], ...]:
    """The statistics whose shuffling costs the most accuracy on the first `rows` examples.

    Permutation importance: Breiman, "Random forests", Machine Learning 45, 2001, section 10.
    """
    x, y = x[:rows], y[:rows]
    order = np.random.default_rng(0).permutation(len(x))
    shuffled = np.repeat(x[None], x.shape[1], axis=0)  # (F, rows, F)
    for column in range(x.shape[1]):
        shuffled[column, :, column] = x[order, column]
    guesses = fitted.predict(shuffled.reshape(-1, x.shape[1])).reshape(x.shape[1], -1)
    lost = (fitted.predict(x) == y).mean() - (guesses == y).mean(axis=1)
    best = np.argsort(-lost, kind="stable")[:top]
    return tuple((NAMES[column], float(lost[column])) for column in best)
