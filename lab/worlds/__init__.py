"""Worlds of labeled pictures: drawings and folders, populations, label noise, counterfactuals."""

from lab.worlds.arrays import ArrayWorld
from lab.worlds.cues import Cue
from lab.worlds.domain import Domain, subsets
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.folder import FolderWorld
from lab.worlds.inputs import ExamplesDataset
from lab.worlds.noise import corrupt
from lab.worlds.planted import COPIED, HARD
from lab.worlds.population import Population, population_of, subpopulation_name
from lab.worlds.registry import classes_of, draw_examples, noun_of, open_world, world_version
from lab.worlds.samples import Samples
from lab.worlds.save import save_npz
from lab.worlds.schema import Attribute, Schema
from lab.worlds.splits import SPLITS
from lab.worlds.stored import StoredWorld
from lab.worlds.tasks import (
    Subpopulation,
    Task,
    get_task,
    list_tasks,
    median_task,
    register,
    value_task,
)
from lab.worlds.validate import check_memory, check_memory_of_runs, reject_no_effect
from lab.worlds.world import World

__all__ = [
    "COPIED",
    "HARD",
    "SPLITS",
    "ArrayWorld",
    "Attribute",
    "Cue",
    "Domain",
    "DrawnWorld",
    "Examples",
    "ExamplesDataset",
    "FolderWorld",
    "Population",
    "Samples",
    "Schema",
    "StoredWorld",
    "Subpopulation",
    "Task",
    "World",
    "check_memory",
    "check_memory_of_runs",
    "classes_of",
    "corrupt",
    "draw_examples",
    "get_task",
    "list_tasks",
    "median_task",
    "noun_of",
    "open_world",
    "population_of",
    "register",
    "reject_no_effect",
    "save_npz",
    "subpopulation_name",
    "subsets",
    "value_task",
    "world_version",
]  # fmt: skip
