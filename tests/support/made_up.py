"""Made-up measurements of a run, and what a text says about them."""

import re

from lab.core.estimate import Estimate, difference, wilson
from lab.verdict import Finding, Setting


def setting(**changes: object) -> Setting:
    values: dict[str, object] = {
        "num_train": 100, "num_test": 2000, "num_classes": 2, "label_noise": 0.0, "steps": 2000,
        "width": 16,
    }  # fmt: skip
    return Setting(**(values | changes))  # type: ignore[arg-type]


def figures(
    train: float,
    test: float,
    *,
    auc: tuple[float, float, float] = (0.5, 0.48, 0.52),
    fitted: float | None = None,
    num_train: int = 100,
    num_test: int = 2000,
    wrong: int = 50,
) -> dict[str, Estimate]:
    right = wilson(round(train * num_train), num_train), wilson(round(test * num_test), num_test)
    made = {
        "accuracy/train": right[0],
        "accuracy/test": right[1],
        "loss/train": Estimate(0.1, 0.0, 0.2),
        "loss/test": Estimate(0.9, 0.8, 1.0),
        "gap/accuracy": difference(*right),
        "gap/loss": Estimate(0.8, 0.6, 1.0),
        "memorization/membership_auc": Estimate(*auc),
    }
    if fitted is not None:
        count = round(fitted * wrong)
        made["memorization/mislabeled_fitted"] = wilson(count, wrong)
        made["memorization/mislabeled_true_label"] = wilson(wrong - count, wrong)
    return made


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


def numbers(text: str) -> list[float]:
    """The numbers of a text, in order."""
    return [float(word.replace(",", "")) for word in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
