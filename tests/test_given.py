"""What is given to the public measures: arrays and lists count as tensors do, and anything else is
one line that names it."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.measure import (
    Predictions,
    accuracy,
    accuracy_gap,
    caught_at,
    component_values,
    consistency,
    example_losses,
    expected_calibration_error,
    faces_needed,
    fit_power_law,
    group_accuracies,
    loss,
    loss_gap,
    mean_of_seeds,
    membership_auc,
    memorization_metrics,
    mislabeled_fitted,
    mislabeled_true_label,
    reliance,
    right,
    worst,
)

COUNT = 40
DRAW = torch.Generator().manual_seed(0)
LOGITS, AFTER = (torch.randn(COUNT, 3, generator=DRAW) * 2 for _ in range(2))
LABELS = torch.arange(COUNT) % 3
GIVEN = torch.where(torch.arange(COUNT) < 15, (LABELS + 1) % 3, LABELS)
INSIDE = torch.arange(COUNT) < 22
CALLED = torch.rand(4, COUNT, generator=DRAW) < 0.5


def metrics(logits: Any, labels: Any) -> dict[str, Estimate]:
    return memorization_metrics(
        Predictions.of(logits[:20], labels[:20], split="train"),
        Predictions.of(logits[20:], labels[20:]),
    )


OF_LOGITS: dict[str, Callable[[Any, Any], Any]] = {
    "accuracy": accuracy,
    "right": right,
    "example_losses": example_losses,
    "loss": loss,
    "calibration": expected_calibration_error,
    "groups": lambda logits, labels: group_accuracies(logits, labels, {"in": INSIDE}),
    "fitted": lambda logits, labels: mislabeled_fitted(logits, labels, LABELS),
    "true labels": lambda logits, labels: mislabeled_true_label(logits, labels, LABELS),
    "predictions": Predictions.of,
}

MEASURES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    **{name: (measure, (LOGITS, GIVEN)) for name, measure in OF_LOGITS.items()},
    "metrics": (metrics, (LOGITS, LABELS)),
    "members": (
        lambda members: group_accuracies(LOGITS, LABELS, {"in": members}), (INSIDE,)
    ),
    "clean": (lambda clean: mislabeled_fitted(LOGITS, GIVEN, clean), (LABELS,)),
    "clean, true": (lambda clean: mislabeled_true_label(LOGITS, GIVEN, clean), (LABELS,)),
    "clean, of": (
        lambda clean: Predictions.of(LOGITS, GIVEN, clean_labels=clean), (LABELS,)
    ),
    "auc": (membership_auc, (LOGITS[:, 0], AFTER[:30, 0])),
    "caught": (
        lambda one, other: caught_at(one, other, false_alarms=0.2),
        (LOGITS[:, 0], AFTER[:30, 0]),
    ),
    "reliance": (reliance, (LOGITS, AFTER)),
    "components": (lambda called: component_values(called, ("a", "b")), (CALLED,)),
    "faces": (
        lambda accuracies: faces_needed([1, 2, 4], accuracies, 0.85),
        (torch.tensor([[0.5, 0.75, 0.875], [0.5, 0.8125, 0.9375]]),),
    ),
    "power law": (fit_power_law, (torch.tensor([1, 2, 4]), torch.tensor([0.5, 0.375, 0.25]))),
    "seeds": (mean_of_seeds, (torch.tensor([1.0, 2.0, 4.0]),)),
}  # fmt: skip


def plain(found: Any) -> Any:
    """A result as numbers that can be compared."""
    if isinstance(found, Tensor):
        return found.tolist()
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    if isinstance(found, Predictions):
        return [found.logits.tolist(), found.labels.tolist(), found.mislabeled.tolist()]
    return astuple(found)


def backwards(given: Tensor) -> np.ndarray:
    """An array with strides that no tensor has, which nobody may write into."""
    array: np.ndarray = given.flip(0).numpy()[::-1]
    array.flags.writeable = False
    return array


FORMS: dict[str, Callable[[Tensor], Any]] = {
    "array": lambda given: given.numpy(),
    "backwards": backwards,
    "big-endian": lambda given: given.numpy().astype(given.numpy().dtype.newbyteorder(">")),
    "list": lambda given: given.tolist(),
    "list of arrays": lambda given: list(given.numpy()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MEASURES)
def test_arrays_and_lists_give_what_tensors_give(name: str, form: str) -> None:
    measure, given = MEASURES[name]
    expected = plain(measure(*given))
    assert plain(measure(*map(FORMS[form], given))) == expected
    if len(given) == 2:  # of two kinds
        assert plain(measure(FORMS[form](given[0]), given[1])) == expected
        assert plain(measure(given[0], FORMS[form](given[1]))) == expected


@pytest.mark.parametrize("name", OF_LOGITS)
def test_numbers_of_other_widths_give_the_same(name: str) -> None:
    whole = (LOGITS * 3).round()
    expected = plain(OF_LOGITS[name](whole, GIVEN))
    for logits in (whole.double(), whole.half(), whole.long(), whole.int()):
        assert plain(OF_LOGITS[name](logits, GIVEN)) == expected
    for labels in (GIVEN.int(), GIVEN.byte(), GIVEN.short()):
        assert plain(OF_LOGITS[name](whole, labels)) == expected
    two, yes = LOGITS[:, :2], GIVEN > 0
    if "labels" not in name and name != "fitted":
        assert plain(OF_LOGITS[name](two, yes)) == plain(OF_LOGITS[name](two, yes.long()))


@pytest.mark.parametrize("name", [*OF_LOGITS, "metrics"])
@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        (LOGITS[:, 0], GIVEN, r"^logits must be \(N, C\) .* not \(\d+,\).*torch\.stack"),
        (LOGITS[:, :1], GIVEN, r"^logits must be \(N, C\) .* not \(\d+, 1\)"),
        (LOGITS[:, :, None], GIVEN, r"^logits must be \(N, C\) .* not \(\d+, 3, 1\)"),
        (LOGITS > 0, GIVEN, "^logits must be real numbers, not torch.bool"),
        (LOGITS.to(torch.complex64), GIVEN, "^logits must be real numbers, not torch.complex64"),
        (LOGITS, GIVEN.float(), "labels must be whole numbers, not torch.float32"),
        (LOGITS.numpy(), GIVEN.double().numpy(), "labels must be whole numbers, not torch.float64"),
        (LOGITS, GIVEN[:, None], r"^\(\d+, 1\) labels for \(\d+, 3\) logits"),
        (LOGITS, GIVEN + 1, "^labels must be from 0 to 2"),
        (LOGITS, ["a"] * COUNT, "^labels must be numbers, not text"),
    ],
)
def test_what_is_no_logits_with_labels_is_one_line(
    name: str, logits: Any, labels: Any, said: str
) -> None:
    measure = OF_LOGITS.get(name, metrics)
    with pytest.raises(ValueError, match=said) as caught:
        measure(logits, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", OF_LOGITS)
@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        (LOGITS, GIVEN[:-1], r"^\(39,\) labels for \(40, 3\) logits"),
        (LOGITS[:0], GIVEN, r"^\(40,\) labels for \(0, 3\) logits"),
        ("logits", GIVEN, "^logits must be a tensor or an array, not a str"),
        (None, GIVEN, "^logits must be a tensor or an array, not a NoneType"),
        (LOGITS, None, "^labels must be a tensor or an array, not a NoneType"),
        (LOGITS, {0, 1}, "^labels must be a tensor or an array, not a set"),
        ([[1.0, 2.0]] * 39 + [[1.0]], GIVEN, "no array can be made of this list"),
        ([], [], r"^logits must be \(N, C\)"),
    ],
)
def test_what_is_missing_is_one_line(name: str, logits: Any, labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OF_LOGITS[name](logits, labels)


def test_of_no_examples_nothing_is_known() -> None:
    for labels in (GIVEN[:0], [], np.zeros(0)):
        for measure in (accuracy, loss, expected_calibration_error):
            found = measure(LOGITS[:0], labels)
            assert np.isnan(found.value)
            assert found.count == 0
        assert group_accuracies(LOGITS[:0], labels, {"in": INSIDE[:0]}) == {}


IMAGES = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: group_accuracies(LOGITS, LABELS, {"in": INSIDE.numpy()[:3]}),
         r"group 'in' must be \(40,\) bool, not \(3,\) torch\.bool"),
        (lambda: group_accuracies(LOGITS, LABELS, {"in": INSIDE.int().numpy()}),
         r"group 'in' must be \(40,\) bool, not \(40,\) torch\.int32"),
        (lambda: group_accuracies(LOGITS, LABELS, {"in": None}),  # type: ignore[dict-item]
         "group 'in' must be a tensor or an array, not a NoneType"),
        (lambda: worst({}), "no group with an example"),
        (lambda: mislabeled_fitted(LOGITS, GIVEN, LABELS.float()),
         "true labels must be whole numbers, not torch.float32"),
        (lambda: Predictions.of(LOGITS, GIVEN, clean_labels=LABELS[:3]),
         r"\(3,\) true labels for \(40,\) labels"),
        (lambda: Predictions.of(LOGITS, GIVEN, classes=("a", "b")), "2 classes for"),
        (lambda: memorization_metrics((LOGITS, LABELS), (LOGITS, LABELS)),  # type: ignore[arg-type]
         "train must be Predictions, .* not a tuple"),
        (lambda: membership_auc(LOGITS[:, :1], AFTER[:, 0]),
         r"losses of members must be numbers \(N,\), not \(40, 1\)"),
        (lambda: membership_auc(LOGITS[0, 0], AFTER[:, 0]), r"losses of members .* not \(\)"),
        (lambda: caught_at(LOGITS[:, 0], AFTER[:, :1], false_alarms=0.1),
         r"losses of others must be numbers \(N,\), not \(40, 1\)"),
        (lambda: caught_at(None, AFTER[:, 0], false_alarms=0.1),  # type: ignore[arg-type]
         "losses of members must be a tensor or an array, not a NoneType"),
        (lambda: reliance(LOGITS > 0, AFTER > 0), "logits must be real numbers, not torch.bool"),
        (lambda: reliance(LOGITS, None),  # type: ignore[arg-type]
         "logits of counterfactuals must be a tensor or an array"),
        (lambda: component_values(CALLED.int(), ("a", "b")),
         r"called must be \(4, M\) bool for 2 components, not \(4, 40\) torch\.int32"),
        (lambda: component_values(CALLED[:3], ("a", "b")), r"not \(3, 40\)"),
        (lambda: component_values(CALLED[:, 0], ("a", "b")), r"not \(4,\)"),
        (lambda: expected_calibration_error(LOGITS, LABELS, bins=0), "bins must be .* not 0"),
        (lambda: expected_calibration_error(LOGITS, LABELS, bins=1.5),  # type: ignore[arg-type]
         r"bins must be .* not 1\.5"),
        (lambda: accuracy_gap(0.9, 0.5), "train must be an Estimate"),  # type: ignore[arg-type]
        (lambda: loss_gap(loss(LOGITS, LABELS), torch.ones(())),  # type: ignore[arg-type]
         "test must be an Estimate, .* not a Tensor"),
        (lambda: faces_needed([1, 2], [0.5, 0.9], 0.7), r"accuracies must be \(S, 2\)"),
        (lambda: faces_needed([1, 2], [[0.5]], 0.7), r"accuracies must .* not \(1, 1\)"),
        (lambda: fit_power_law([1, 2, 3], [0.5, 0.4]), "2 errors for 3 sizes"),
        (lambda: fit_power_law(torch.ones(3, 1), torch.ones(3, 1)),  # type: ignore[arg-type]
         r"sizes and errors must be numbers \(N,\)"),
        (lambda: mean_of_seeds([[1.0], [2.0]]), r"numbers \(N,\)"),  # type: ignore[list-item]
        (lambda: mean_of_seeds([accuracy(LOGITS, LABELS)]),  # type: ignore[list-item]
         "values must be numbers, not Estimate"),
        (lambda: consistency(NETWORK, IMAGES.numpy()), "not a ndarray"),  # type: ignore[arg-type]
        (lambda: consistency(NETWORK, None), "not a NoneType"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_anything_else_is_one_line(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_masked_numbers_are_not_counted_as_others() -> None:
    labels = np.ma.masked_array(np.zeros(COUNT, dtype=np.int64), mask=np.arange(COUNT) < 4)
    with pytest.raises(ValueError, match="has 4 masked numbers: give those that are not, alone"):
        accuracy(LOGITS, labels)
    nothing = np.ma.masked_array(labels.data)
    assert accuracy(LOGITS, nothing) == accuracy(LOGITS, labels.data)
