"""Labelled pictures: tasks, populations, label noise, examples, export, leak certificate."""

from lab.data.cues import Cue
from lab.data.dataset import ExamplesDataset
from lab.data.examples import Examples, draw_batches, draw_examples, to_input
from lab.data.noise import corrupt
from lab.data.population import Population, population_of
from lab.data.sense import check_memory, check_memory_of_runs, refuse_idle
from lab.data.splits import SPLITS
from lab.data.tasks import Kind, Task, get_task, list_tasks, median_task, register, value_task
from lab.data.version import world_version

__all__ = [
    "SPLITS", "Cue", "Examples", "ExamplesDataset", "Kind", "Population", "Task", "check_memory",
    "check_memory_of_runs", "corrupt", "draw_batches", "draw_examples", "get_task", "list_tasks",
    "median_task", "population_of", "refuse_idle", "register", "to_input", "value_task",
    "world_version",
]  # fmt: skip
