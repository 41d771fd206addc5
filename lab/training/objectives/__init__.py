"""Objectives: what training minimizes, one file each. Independent of networks and optimizers."""

from lab.training.objectives.check import ObjectiveError, check_objective
from lab.training.objectives.group_dro import GroupDRO
from lab.training.objectives.numbers import Numbering
from lab.training.objectives.objective import Loss, Objective, ObjectiveSpec
from lab.training.objectives.registry import (
    create_objective,
    list_objectives,
    locate_objective,
    objective_file,
    objective_sources,
    register_objective,
    shares_code,
)
from lab.training.objectives.reweighting import Reweighting

__all__ = [
    "GroupDRO", "Loss", "Numbering", "Objective", "ObjectiveError", "ObjectiveSpec", "Reweighting",
    "check_objective",
    "create_objective", "list_objectives", "locate_objective", "objective_file",
    "objective_sources", "register_objective", "shares_code",
]  # fmt: skip
