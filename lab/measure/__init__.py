"""Metrics: functions of predictions and labels that return numbers with intervals."""

from lab.core.student import mean_of_seeds, student_quantile
from lab.measure.accuracy import accuracy, example_losses, group_accuracies, loss, worst
from lab.measure.calibration import expected_calibration_error
from lab.measure.components import component_values
from lab.measure.consistency import CONSISTENCY, consistency, varying
from lab.measure.faces_needed import FacesNeeded, faces_needed
from lab.measure.memorization import (
    accuracy_gap,
    caught_at,
    loss_gap,
    membership_auc,
    memorization_metrics,
    mislabeled_fitted,
    mislabeled_true_label,
)
from lab.measure.metric_files import (
    load_metrics,
    locate_metric,
    metric_sources,
    try_metrics,
)
from lab.measure.power_law import PowerLaw, fit_power_law
from lab.measure.predict import predict
from lab.measure.predictions import Predictions, right
from lab.measure.reliance import reliance
from lab.measure.split_metrics import (
    MetricError,
    SplitMetric,
    by_tag,
    metric,
    register_metric,
    registered_metrics,
    split_metric,
    split_metrics,
    unregister_metrics,
)

__all__ = [
    "CONSISTENCY", "FacesNeeded", "MetricError", "PowerLaw", "Predictions", "SplitMetric",
    "accuracy", "accuracy_gap", "by_tag", "caught_at", "component_values", "consistency",
    "example_losses",
    "expected_calibration_error", "faces_needed", "fit_power_law", "group_accuracies",
    "load_metrics", "locate_metric", "loss", "loss_gap", "mean_of_seeds", "membership_auc",
    "memorization_metrics", "metric", "metric_sources", "mislabeled_fitted",
    "mislabeled_true_label", "predict", "register_metric", "registered_metrics", "reliance",
    "right", "split_metric", "split_metrics", "student_quantile", "try_metrics",
    "unregister_metrics", "varying", "worst",
]  # fmt: skip
