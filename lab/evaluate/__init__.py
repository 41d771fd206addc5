"""Measure a finished run on a population of one's choice, and say what came of it."""

from lab.evaluate.figures import asked, measure
from lab.evaluate.recipe import Hunt, evaluate
from lab.evaluate.robustness import failure_entries, failure_figures, search
from lab.evaluate.sheet import failure_sheet
from lab.evaluate.tables import setting_text, to_text

__all__ = [
    "Hunt", "asked", "evaluate", "failure_entries", "failure_figures", "failure_sheet", "measure",
    "search", "setting_text", "to_text",
]  # fmt: skip
