"""What did it learn? Functions from answers and labels to figures with intervals, and to words."""

from lab.measure.accuracy import accuracy, accuracy_gap, example_losses, loss, loss_gap, right
from lab.measure.figures import memorization_figures
from lab.measure.groups import group_accuracies, worst
from lab.measure.label_noise import mislabelled_fitted, mislabelled_true_label
from lab.measure.membership import caught_at, membership_auc
from lab.measure.parts import part_values
from lab.measure.predict import predict
from lab.measure.reliance import reliance
from lab.measure.verdict import Finding, Setting, findings, verdict

__all__ = [
    "Finding", "Setting", "accuracy", "accuracy_gap", "caught_at", "example_losses", "findings",
    "group_accuracies", "loss", "loss_gap", "membership_auc", "memorization_figures",
    "mislabelled_fitted", "mislabelled_true_label", "part_values", "predict", "reliance", "right",
    "verdict", "worst",
]  # fmt: skip
