"""All measures of memorization, from logits on training and on unseen examples, by tag."""

from __future__ import annotations

from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy, accuracy_gap, example_losses, loss_gap
from lab.measure.intervals import mean
from lab.measure.label_noise import mislabeled_fitted, mislabeled_true_label
from lab.measure.membership import membership_auc


def memorization_figures(
    train_logits: Tensor,
    train_labels: Tensor,
    train_clean_labels: Tensor,
    test_logits: Tensor,
    test_labels: Tensor,
) -> dict[str, Estimate]:
    """Tag -> estimate, from logits (N, C) and labels (N,) on training and on unseen faces.

    The measures on mislabeled faces are included only if there are such faces.
    """
    train_losses = example_losses(train_logits, train_labels)
    test_losses = example_losses(test_logits, test_labels)
    train, test = accuracy(train_logits, train_labels), accuracy(test_logits, test_labels)
    train_loss, test_loss = mean(train_losses), mean(test_losses)
    figures = {
        "accuracy/train": train,
        "accuracy/test": test,
        "loss/train": train_loss,
        "loss/test": test_loss,
        "gap/accuracy": accuracy_gap(train, test),
        "gap/loss": loss_gap(train_loss, test_loss),
        "memorization/membership_auc": membership_auc(train_losses, test_losses),
    }
    if bool((train_labels != train_clean_labels).any()):
        answers = (train_logits, train_labels, train_clean_labels)
        figures["memorization/mislabeled_fitted"] = mislabeled_fitted(*answers)
        figures["memorization/mislabeled_true_label"] = mislabeled_true_label(*answers)
    return figures
