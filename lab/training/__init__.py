"""Training: loop, objectives, batches, schedules, checkpoints, devices. Measures nothing."""

from lab.core.errors import Interrupted
from lab.core.run_dir import BEST, LAST, PREVIOUS
from lab.training.batches import Batch, Batches, EpochBatches, Groups, OnlineBatches
from lab.training.checkpoint import (
    Checkpoint,
    Damaged,
    OtherFormat,
    give_state,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from lab.training.device import NoDevice, choose_device, describe, make_deterministic, set_threads
from lab.training.distributed import SINGLE, PeerLost, Processes, joined, world_size
from lab.training.divided import parts_of_batches
from lab.training.fit import Evaluator, Fitted, fit
from lab.training.objectives import (
    Numbering,
    Objective,
    ObjectiveSpec,
    create_objective,
    list_objectives,
    locate_objective,
    objective_file,
    objective_sources,
    shares_code,
)
from lab.training.plain_state import Unkept
from lab.training.sample import answers_otherwise, sample_answers
from lab.training.schedule import evaluation_steps
from lab.training.signals import Stop, graceful_stop
from lab.training.snapshots import Snapshots, snapshot_steps
from lab.training.train_state import PLAN, Collector, Metrics
from lab.training.train_step import Diverged
from lab.training.trial import Trial, first_seed, try_out

__all__ = [
    "BEST",
    "LAST",
    "PLAN",
    "PREVIOUS",
    "SINGLE",
    "Batch",
    "Batches",
    "Checkpoint",
    "Collector",
    "Damaged",
    "Diverged",
    "EpochBatches",
    "Evaluator",
    "Fitted",
    "Groups",
    "Interrupted",
    "Metrics",
    "NoDevice",
    "Numbering",
    "Objective",
    "ObjectiveSpec",
    "OnlineBatches",
    "OtherFormat",
    "PeerLost",
    "Processes",
    "Snapshots",
    "Stop",
    "Trial",
    "Unkept",
    "answers_otherwise",
    "choose_device",
    "create_objective",
    "describe",
    "evaluation_steps",
    "first_seed",
    "fit",
    "give_state",
    "graceful_stop",
    "joined",
    "list_objectives",
    "load_checkpoint",
    "load_weights",
    "locate_objective",
    "make_deterministic",
    "objective_file",
    "objective_sources",
    "parts_of_batches",
    "sample_answers",
    "save_checkpoint",
    "set_threads",
    "shares_code",
    "snapshot_steps",
    "try_out",
    "world_size",
]  # fmt: skip
