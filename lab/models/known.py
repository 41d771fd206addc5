"""Networks whose code is known: what they do beside computing."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from lab.models.fused import hooks_for_all, is_unmodified

_KNOWN = ("torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "lab.models.")
"""Beginnings of the names of Python modules whose layers leave the settings of the process alone
and draw random numbers from torch's generator of the device only."""

_WRITERS = ("torch.", "torchvision.", "lab.models.")

_FILES = (
    "activation", "container", "conv", "dropout", "flatten", "linear", "normalization", "padding",
    "pixelshuffle", "pooling", "transformer", "upsampling",
)  # fmt: skip
"""Modules of torch.nn whose layers treat each example alone."""

_RANDOM = (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


def is_known(model: nn.Module) -> bool:
    """Whether all layers of a network are torch's, torchvision's or the lab's own, as they were
    written: without hooks, of weights either, without functions or a `forward` of others. Then they
    decide nothing in Python anew at each step, and may compute while another thread does."""
    return not hooks_for_all() and all(
        f"{type(module).__module__}.".startswith(_KNOWN)
        and is_unmodified(module)
        and module._compiled_call_impl is None
        and all(map(_is_usual, module._parameters.values()))
        and not any(map(_is_others_code, vars(module).values()))
        for module in model.modules()
    )


def _is_usual(weight: nn.Parameter | None) -> bool:
    """Whether a weight is an ordinary one without hooks."""
    return weight is None or (
        type(weight) is nn.Parameter
        and not weight._backward_hooks
        and not getattr(weight, "_post_accumulate_grad_hooks", None)
    )


def _is_others_code(value: object) -> bool:
    """Whether an attribute of a layer is a function that is neither torch's nor the lab's."""
    if isinstance(value, partial):
        return _is_others_code(value.func)
    if isinstance(value, (type, nn.Module, Tensor)) or not callable(value):
        return False
    return not f"{getattr(value, '__module__', '')}.".startswith(_WRITERS)


def treats_examples_alone(model: nn.Module) -> bool:
    """Whether the logits of an example depend neither on the others of its batch nor on random
    numbers: all layers are known to be such, torch's or the lab's own, without batch normalization
    and without dropout."""
    return is_known(model) and all(map(_treats_each_alone, model.modules()))


def _treats_each_alone(module: nn.Module) -> bool:
    package, _, file = type(module).__module__.rpartition(".")
    if package == "torch.nn.modules" and file not in _FILES:
        return False
    if isinstance(module, _RANDOM) or _joins_examples(module):
        return False
    drops = getattr(module, "p", 0.0), getattr(module, "dropout", 0.0)
    return not any(isinstance(share, float) and share > 0 for share in drops) and package in (
        "torch.nn.modules",
        "lab.models",
    )


def _joins_examples(module: nn.Module) -> bool:
    """Whether a layer computes along the first dimension, of which it makes a sequence or a sum, or
    along one that is the first for some inputs."""
    if getattr(module, "batch_first", True) is False:  # attention over the batch
        return True
    along = [getattr(module, name, 1) for name in ("dim", "start_dim")]
    return any(not isinstance(each, int) or (each < 1 and each != -1) for each in along)
