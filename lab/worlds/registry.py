"""The registry of worlds: opens the world that a run's data settings describe.

A new drawn world is a module that registers a task, imported here.
"""

from pathlib import Path

import torch

import lab.worlds.faces.tasks
import lab.worlds.shapes  # noqa: F401
from lab.core.config import DataConfig
from lab.core.locks import check_path
from lab.core.paths import at_home
from lab.worlds.arrays import SUFFIX, ArrayWorld, array_classes
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.folder import FolderWorld, folder_classes
from lab.worlds.stored import STORED
from lab.worlds.stored_settings import FLAG
from lab.worlds.tasks import get_task
from lab.worlds.world import World


def open_world(data: DataConfig, *, seed: int = 0, device: str | torch.device = "cpu") -> World:
    """The world that a run's data settings describe, bound to its seed and device.

    Raises `ValueError` in one line that names the flag, the value and what is possible.
    """
    if data.data == "":  # the current folder, to `Path`
        raise ValueError(f"{FLAG} needs the path of a folder or an .npz file, and it is empty")
    if data.data is not None:
        check_path(at_home(data.data, FLAG).resolve(), FLAG)
    if data.data is not None and Path(data.data).suffix.lower() == SUFFIX:
        return ArrayWorld.of(data, seed=seed, device=device)
    if data.data is not None:
        return FolderWorld.of(data, seed=seed, device=device)
    if data.groups:
        raise ValueError(
            f"--groups {' '.join(data.groups)} names columns of the metadata.csv or the .npz file"
            " of --data; drawn pictures are grouped by --cues"
        )
    if data.clusters is not None:
        raise ValueError(
            f"--clusters {data.clusters} says which pictures of --data belong together; drawn ones"
            " are independent: leave it out"
        )
    if data.resize != DataConfig().resize:
        raise ValueError(
            f"--resize {data.resize} is about the pictures of --data; drawn ones are square: leave"
            " it out"
        )
    return DrawnWorld.of(data, seed=seed, device=device)


def classes_of(data: DataConfig) -> tuple[str, ...]:
    """The names of the classes, without opening the world; `ValueError` for an unknown task or a
    folder or file that is not there."""
    if data.data is None:
        return get_task(data.task).classes
    classes = array_classes if Path(data.data).suffix.lower() == SUFFIX else folder_classes
    return classes(data.data)


def noun_of(data: DataConfig) -> str:
    """The plural noun for the pictures that data settings describe, without opening the world;
    `ValueError` for an unknown task."""
    return get_task(data.task).domain.noun if data.data is None else STORED


def world_version(data: DataConfig) -> str:
    """The version of the pictures and labels that data settings describe, as faces-0123456789ab;
    it is the same for all populations of a task. `ValueError` as for `open_world`."""
    return open_world(data).version


def draw_examples(
    data: DataConfig,
    *,
    split: str,
    count: int,
    seed: int,
    device: str | torch.device = "cpu",
    start: int = 0,
) -> Examples:
    """`World.load` of the world that the settings describe, in one call."""
    return open_world(data, seed=seed, device=device).load(split, count, start=start)
