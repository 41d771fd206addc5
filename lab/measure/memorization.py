"""Memorization: how much better a model predicts its training examples than unseen ones."""

from __future__ import annotations

import math

import torch

from lab.core.estimate import Estimate, Z, difference, wilson
from lab.measure import intervals
from lab.measure.accuracy import accuracy, example_losses
from lab.measure.dependent import allowing_for_dependence
from lab.measure.given import Given, as_labels, as_row
from lab.measure.predictions import Predictions, true_labels, with_labels

FALSE_ALARMS = 0.01
"""The false positive rate at which the true positive rate of membership inference is measured."""


def accuracy_gap(train: Estimate, test: Estimate) -> Estimate:
    """Generalization gap: accuracy on train minus on test, -1 to 1 (Newcombe's interval)."""
    return difference(_estimate(train, "train"), _estimate(test, "test"))


def loss_gap(train: Estimate, test: Estimate) -> Estimate:
    """Generalization gap in nats: loss on test minus on train, so that memorizing is above 0."""
    return difference(_estimate(test, "test"), _estimate(train, "train"))


def _estimate(given: Estimate, what: str) -> Estimate:
    """An estimate; `ValueError` for a number alone, of which no interval is known."""
    if not isinstance(given, Estimate):
        raise ValueError(
            f"{what} must be an Estimate, as accuracy and loss return it, not a"
            f" {type(given).__name__}"
        )
    return given


def membership_auc(member_losses: Given, other_losses: Given) -> Estimate:
    """Area under the ROC curve of membership inference by a loss threshold: 0.5 is a guess.

    The attack of Yeom et al., "Privacy risk in machine learning", 2018, section 3.2, without the
    choice of a threshold: P(loss of a training example (M,) < loss of an unseen one (N,)), ties
    counting half. Any sizes M and N. Labels are those that the model was trained and is tested
    with.
    """
    return intervals.area(
        as_row(member_losses, "losses of members"), as_row(other_losses, "losses of others")
    )


def caught_at(member_losses: Given, other_losses: Given, *, false_alarms: float) -> Estimate:
    """The true positive rate of that attack at a false positive rate of at most `false_alarms`: the
    share of the training examples (M,) that it names while it wrongly names so many of the unseen
    ones (N,).

    Carlini et al., "Membership inference attacks from first principles", 2022, argue for small
    rates such as 0.01. The interval allows for both samples: its ends are those of Wilson's, with
    the thresholds at the ends of a normal interval for the number of unseen examples below it. Of
    none, or with NaN among them, it is NaN.
    """
    if not 0 <= false_alarms <= 1:
        raise ValueError(f"false_alarms must be from 0 to 1, not {false_alarms:g}")
    member_losses = as_row(member_losses, "losses of members")
    other_losses = as_row(other_losses, "losses of others")
    both = torch.cat([member_losses, other_losses])
    if not len(member_losses) or not len(other_losses) or both.isnan().any():
        return Estimate.point(math.nan, count=len(member_losses))
    allowed = math.floor(false_alarms * len(other_losses))
    ranked = other_losses.sort().values
    spread = Z * math.sqrt(allowed * (1 - false_alarms))

    def named(rank: float) -> Estimate:
        place = max(0, round(rank))
        threshold = ranked[place] if place < len(ranked) else torch.tensor(math.inf)
        return wilson(int((member_losses < threshold).sum()), len(member_losses))

    value, low, high = named(allowed), named(allowed - spread).low, named(allowed + spread).high
    return Estimate(value.value, low, high, value.count)


def mislabeled_fitted(logits: Given, labels: Given, clean_labels: Given) -> Estimate:
    """The share of mislabeled examples that are predicted with the wrong label (N,) they were
    given.

    Zhang et al., "Understanding deep learning requires rethinking generalization", 2017: a network
    that fits them has memorized, for nothing in the pictures says so.
    """
    logits, labels = with_labels(logits, labels)
    wrong = labels != true_labels(labels, clean_labels)
    return accuracy(logits[wrong], labels[wrong])


def mislabeled_true_label(logits: Given, labels: Given, clean_labels: Given) -> Estimate:
    """The share of mislabeled examples that are predicted with their true label (N,) in spite of
    the given one.

    Arpit et al., "A closer look at memorization", 2017: early in training it is most of them.
    """
    logits, labels = with_labels(logits, labels)
    clean_labels = true_labels(labels, clean_labels)
    wrong = labels != clean_labels
    return accuracy(logits[wrong], clean_labels[wrong])


def fitted_at_random(logits: Given, labels: Given, clean_labels: Given) -> Estimate:
    """The share of mislabeled examples that would be predicted with the wrong label (N,) they were
    given if their predictions were dealt to them at random, on average: what predictions get that
    are as frequent, and have nothing to do with the pictures. Of a constant prediction it is the
    share itself."""
    logits, labels = with_labels(logits, labels)
    wrong = labels != true_labels(labels, clean_labels)
    count, classes = int(wrong.sum()), logits.shape[1]
    some, given = logits[wrong], labels[wrong]
    said = some.argmax(dim=1)[~some.isnan().any(dim=1)]
    pairs = torch.bincount(said, minlength=classes) @ torch.bincount(given, minlength=classes)
    return Estimate.point(int(pairs) / count**2 if count else math.nan, count=count)


def true_label_by_constant(labels: Given, clean_labels: Given) -> Estimate:
    """The share of mislabeled examples that have the most frequent true label among them: what the
    best constant prediction gets, and no prediction that has nothing to do with the pictures
    exceeds on average."""
    labels = as_labels(labels, "labels")
    clean_labels = true_labels(labels, clean_labels)
    wrong = labels != clean_labels
    count = int(wrong.sum())
    most = int(torch.bincount(clean_labels[wrong]).max()) if count else 0
    return Estimate.point(most / count if count else math.nan, count=count)


def memorization_metrics(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """Gaps, membership inference and label noise, by tag, of a model's predictions on its training
    set and on a test set.

    The metrics of mislabeled examples are there only if there are such examples, and the rate of
    true positives only if there are 100 different unseen examples or more. `fitted_at_random` and
    `true_label_by_constant` have no interval (`low` and `high` are None), and other figures of one
    or no example may have none. Intervals are those of `allowing_for_dependence`. `ValueError` if
    by their splits the two are in the other order.
    """
    for name, given in (("train", train), ("test", test)):
        if not isinstance(given, Predictions):
            raise ValueError(
                f"{name} must be Predictions, as Predictions.of(logits, labels) makes them, not a"
                f" {type(given).__name__}"
            )
    if (train.split, test.split) == ("test", "train"):
        raise ValueError(
            "give the predictions on the training set first, those on the test set last"
        )
    return allowing_for_dependence(_metrics, train, test)


def _metrics(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """The metrics, as if no examples were copies."""
    losses = [example_losses(each.logits, each.labels) for each in (train, test)]
    right = [accuracy(each.logits, each.labels) for each in (train, test)]
    metrics = {
        "gap/accuracy": accuracy_gap(*right),
        "gap/loss": loss_gap(*map(intervals.mean, losses)),
        "memorization/membership_auc": membership_auc(*losses),
    }
    if len(test.different()) * FALSE_ALARMS >= 1:
        metrics["memorization/tpr_at_1_percent_fpr"] = caught_at(*losses, false_alarms=FALSE_ALARMS)
    if bool(train.mislabeled.any()):
        given = (train.logits, train.labels, train.clean_labels)
        metrics["memorization/mislabeled_fitted"] = mislabeled_fitted(*given)
        metrics["memorization/mislabeled_true_label"] = mislabeled_true_label(*given)
        metrics["memorization/mislabeled_fitted_at_random"] = fitted_at_random(*given)
        metrics["memorization/mislabeled_true_label_by_constant"] = true_label_by_constant(
            train.labels, train.clean_labels
        )
    return metrics
