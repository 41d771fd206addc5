"""Measures: functions from logits and labels to estimates with intervals."""

from lab.measure.accuracy import accuracy, accuracy_gap, example_losses, loss, loss_gap, right
from lab.measure.consistency import ANSWERS, consistency, varying
from lab.measure.faces_needed import FacesNeeded, faces_needed
from lab.measure.figures import memorization_figures
from lab.measure.groups import group_accuracies, worst
from lab.measure.label_noise import mislabeled_fitted, mislabeled_true_label
from lab.measure.membership import caught_at, membership_auc
from lab.measure.parts import part_values
from lab.measure.power_law import PowerLaw, fit_power_law
from lab.measure.predict import predict
from lab.measure.reliance import reliance
from lab.measure.student import mean_of_seeds, student_quantile

__all__ = [
    "ANSWERS", "FacesNeeded", "Finding", "PowerLaw", "Setting", "accuracy", "accuracy_gap",
    "caught_at", "consistency", "example_losses", "faces_needed", "findings", "fit_power_law",
    "group_accuracies", "loss", "loss_gap", "mean_of_seeds", "membership_auc",
    "memorization_figures", "mislabeled_fitted", "mislabeled_true_label", "part_values",
    "predict", "reliance", "right", "student_quantile", "varying", "worst",
]  # fmt: skip
