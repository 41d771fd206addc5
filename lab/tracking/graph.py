"""The network's graph, by tracing, for any model that can be traced."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from lab.models import TURN, deep_copy, isolated


def write_graph(writer: SummaryWriter, model: nn.Module, example: Tensor) -> bool:
    """Trace a copy of `model` on `example` and log it; False if that does not work.

    Tracing runs the model and offers no warning that a user could act on, so the model (its
    buffers), random states and torch's settings are shielded from it, and its warnings kept quiet.
    """
    with TURN, isolated(example.device), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            shielded = deep_copy(model)
            shielded.eval()
            # traced here, because `add_graph` runs the model again to check, which takes a second
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                shielded, example, strict=False, check_trace=False
            )
            writer.add_graph(traced, example, use_strict_trace=False)
        except (Exception, SystemExit):  # a picture for the curious must never end a run
            return False
    return True
