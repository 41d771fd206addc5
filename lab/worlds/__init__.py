"""Labelled pictures: tasks, populations, label noise, examples, export, leak certificate."""

from lab.worlds.cues import Cue
from lab.worlds.examples import Examples, draw_batches, draw_examples
from lab.worlds.inputs import ExamplesDataset
from lab.worlds.noise import corrupt
from lab.worlds.population import Population, population_of
from lab.worlds.splits import SPLITS
from lab.worlds.tasks import Kind, Task, get_task, list_tasks, median_task, register, value_task
from lab.worlds.validate import check_memory, check_memory_of_runs, reject_no_effect
from lab.worlds.version import world_version

__all__ = [
    "SPLITS",
    "Cue",
    "Examples",
    "ExamplesDataset",
    "Kind",
    "Population",
    "Task",
    "check_memory",
    "check_memory_of_runs",
    "corrupt",
    "draw_batches",
    "draw_examples",
    "get_task",
    "list_tasks",
    "median_task",
    "population_of",
    "register",
    "reject_no_effect",
    "value_task",
    "world_version",
]  # fmt: skip
