"""The generated parts of the documentation: tables that follow from the code, and their check.

`python3 scripts/docs.py` is the command. Only commands import this package.
"""

from lab.docs.pages import (
    MODELS,
    PARTS,
    RESULTS,
    Part,
    embed,
    outdated,
    part_of,
    refresh,
    with_results,
    with_speeds,
)
from lab.docs.tables import measure_speeds, models_table, own_models, speeds_in, tasks_table

__all__ = [
    "MODELS", "PARTS", "RESULTS", "Part", "embed", "measure_speeds", "models_table", "outdated",
    "own_models", "part_of", "refresh", "speeds_in", "tasks_table", "with_results", "with_speeds",
]  # fmt: skip
