"""How a network is trained: the loop, its schedules, checkpoints and devices. Measures nothing."""

from lab.training.batches import Batches, EpochBatches, OnlineBatches
from lab.training.checkpoint import (
    BEST,
    LAST,
    PREVIOUS,
    Checkpoint,
    Damaged,
    OtherFormat,
    give_state,
    load_checkpoint,
    load_weights,
    newest,
    save_checkpoint,
)
from lab.training.device import choose_device, describe, make_deterministic, set_threads
from lab.training.distributed import ALONE, Deserted, Processes, joined, world_size
from lab.training.fit import Evaluator, Fitted, fit
from lab.training.sample import answers_otherwise, sample_answers
from lab.training.schedule import evaluation_steps
from lab.training.signals import Interrupted, Stop, graceful_stop
from lab.training.train_state import Figures
from lab.training.train_step import Diverged
from lab.training.trial import Trial, first_seed, try_out

__all__ = [
    "ALONE",
    "BEST",
    "LAST",
    "PREVIOUS",
    "Batches",
    "Checkpoint",
    "Damaged",
    "Deserted",
    "Diverged",
    "EpochBatches",
    "Evaluator",
    "Figures",
    "Fitted",
    "Interrupted",
    "OnlineBatches",
    "OtherFormat",
    "Processes",
    "Stop",
    "Trial",
    "answers_otherwise",
    "choose_device",
    "describe",
    "evaluation_steps",
    "first_seed",
    "fit",
    "give_state",
    "graceful_stop",
    "joined",
    "load_checkpoint",
    "load_weights",
    "make_deterministic",
    "newest",
    "sample_answers",
    "save_checkpoint",
    "set_threads",
    "try_out",
    "world_size",
]  # fmt: skip
