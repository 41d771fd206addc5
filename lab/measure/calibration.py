"""Calibration: whether a model is right as often as it is confident."""

from __future__ import annotations

import numpy as np
import torch

from lab.core.estimate import Estimate
from lab.measure import intervals
from lab.measure.given import Given
from lab.measure.predictions import Predictions, right, with_labels
from lab.measure.split_metrics import split_metric

BINS = 15
"""Bins of equal width over the confidence, as in Guo et al. 2017."""


def expected_calibration_error(logits: Given, labels: Given, *, bins: int = BINS) -> Estimate:
    """Expected calibration error, 0 to 1: the mean over bins of |confidence - accuracy|, weighted
    by the share of the examples (N,) in each bin.

    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3: confidence is the
    probability of the predicted class, and bin m of M holds the confidences in ((m - 1)/M, m/M].

    In bin b the contribution is |Σ (confidence - right)| / N, so with the sign of each bin's sum
    the error is the mean over the examples of sign · (confidence - right), and its interval is the
    normal one of that mean: what a bootstrap over the examples gives, to first order, without
    drawing random numbers. It covers the spread, not the bias: of few examples the error of a
    calibrated model is above 0, too (Roelofs et al., "Mitigating bias in calibration error
    estimation", 2022), by up to 0.4 · sqrt(bins / N).
    """
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins must be a whole number from 1, not {bins!r}")
    logits, labels = with_labels(logits, labels)
    probabilities = logits.double().softmax(dim=1)  # (N, C)
    confidence = probabilities.amax(dim=1)
    excess = confidence - right(logits, labels).double()  # (N,)
    places = (confidence * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(bins, dtype=torch.float64).index_add_(0, places, excess)
    return intervals.mean(sums.sign()[places] * excess).within(0, 1)


@split_metric("calibration/ece_{split}", splits=("train", "test"))
def ece_on_split(predictions: Predictions) -> Estimate:
    """`expected_calibration_error` by the given labels."""
    return expected_calibration_error(predictions.logits, predictions.labels)
