"""Drawn worlds of given populations."""

from lab.core.config import DataConfig
from lab.worlds import DrawnWorld, Population


def world_of(
    population: Population, *, size: int = 32, seed: int = 0, num_train: int = 100_000
) -> DrawnWorld:
    """The pictures of a population at `size` px."""
    data = DataConfig(image_size=size, num_train=num_train)
    return DrawnWorld(population=population, data=data, seed=seed)
