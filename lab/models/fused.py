"""`nn.Sequential` whose first layers are computed together, where that is faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.forward_ad import unpack_dual
from torch.jit._trace import is_tracing
from torch.nn import functional
from torch.nn.modules import module as torch_module

from lab.models import convolutions, pooling
from lab.models.convolutions import Layer, has_memory

CHANNELS = 32
"""Channels of a convolution at most: those of `cnn` at width 8. At width 16, the default, training
steps in C were 1.5 times as fast as torch's, but the published figures of the default network are
torch's, to the bit; at widths 32 to 48 they were 1.0 to 1.2 times as fast (batches of 64, 32 px,
one core)."""

PICTURES = 8
"""Pictures at least: C computes as many at a time as a vector has numbers (16 with AVX-512), even
if there are fewer."""


class FusedSequential(nn.Sequential):
    """`nn.Sequential` with the same modules, parameters and gradients to within rounding.

    On a CPU with one thread, in C:

    - The leading layers "convolution of 3 x 3 with padding 1, max pooling of 2 x 2 in ceil mode or
      none, ReLU" as one operation (`convolutions.py`), for float32 and at least 8 pictures, if no
      convolution of the network has more than 32 channels; a layer without pooling is the last of
      them. In autocast to bfloat16 the first layer, if it has no more than 32 channels, in any
      network; these layers are then float32 and their result is rounded.
    - Elsewhere the same pooling and the ReLU after it as one operation (`pooling.py`), whose
      results and gradients are torch's to the bit.

    Where somebody looks at or changes one of these layers (hooks, a module put in its place, a
    method or function of torch replaced), and in torch.compile, tracing, the modes of
    `torch.overrides` and the transforms of `torch.func`, the modules are called one by one.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__(*modules)
        convolutions.switch()  # misspelt: an error now, not in the middle of something

    def forward(self, input: Tensor) -> Tensor:
        """The last module's result."""
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            return self._forward(input)
        for module in self:
            input = module(input)
        return input

    def _forward(self, input: Tensor) -> Tensor:
        modules: Sequence[nn.Module | None] = list(self._modules.values())
        if not is_ordinary():
            return _one_by_one(modules, input)
        if suits(input):
            mixed = torch.is_autocast_enabled("cpu")
            layers, rest = leading_layers(modules, input.shape[1], mixed=mixed)
            if layers and all(map(_is_plain, layers)) and convolutions.is_available():
                input, modules = convolutions.in_c(input, layers, rounded=mixed), rest
        return _one_by_one(modules, input, pooling_in_c=True)


def _one_by_one(
    modules: Sequence[nn.Module | None], input: Tensor, *, pooling_in_c: bool = False
) -> Tensor:
    """What the modules make of the input, one after another; max pooling and ReLU at once in C if
    that is asked for and possible."""
    left = iter(range(len(modules)))
    for place in left:
        module = modules[place]
        assert module is not None
        if pooling_in_c and _pools_and_cuts(modules[place : place + 2], input):
            input = pooling.pool_relu_in_c(input)
            next(left)
        else:
            input = module(input)
    return input


def _pools_and_cuts(modules: Sequence[nn.Module | None], input: Tensor) -> bool:
    """Whether these are max pooling and ReLU, and C may compute both for this input."""
    if len(modules) < 2:
        return False
    first, second = modules
    return (
        isinstance(first, nn.Module)
        and _pools(first)
        and type(second) is nn.ReLU
        and is_unmodified(second)
        and type(input) is Tensor
        and pooling.serves(input)
        and _is_usual(input)
        and pooling.is_available()
    )


def is_ordinary() -> bool:
    """Whether the state of the process is such that C may compute: modules are only called."""
    return (
        not torch.compiler.is_compiling()
        and torch.get_num_threads() == 1
        and _is_autocast_served()
        and not is_tracing()  # type: ignore[no-untyped-call]
        and torch._C._len_torch_dispatch_stack() == 0  # a mode that records operations
        and torch._C._len_torch_function_stack() == 0  # or replaces functions
        and _called() == _TORCHS
        and not hooks_for_all()
    )


def suits(pictures: Tensor) -> bool:
    """Whether pictures are such that C may convolve them."""
    return (
        type(pictures) is Tensor
        and pictures.ndim == 4
        and pictures.dtype == torch.float32
        and pictures.device.type == "cpu"
        and len(pictures) >= PICTURES
        and pictures.numel() > 0
        and _is_usual(pictures)
    )


def leading_layers(
    modules: Sequence[nn.Module | None], channels: int, *, mixed: bool = False
) -> tuple[list[Layer], Sequence[nn.Module | None]]:
    """The layers that C can compute at the beginning of the modules, for pictures of so many
    channels; and the modules after them. `mixed`: what follows them is computed in bfloat16."""
    layers: list[Layer] = []
    small = all(map(_is_small, modules))
    if not small and not mixed:
        return layers, modules
    most = convolutions.MOST_LAYERS if small else 1
    done = 0
    while done + 1 < len(modules) and len(layers) < most:
        convolution = modules[done]
        pooled = _pools(modules[done + 1]) and done + 2 < len(modules)
        end = modules[done + 1 + pooled]
        if not (
            type(convolution) is nn.Conv2d
            and _convolves(convolution, channels)
            and type(end) is nn.ReLU
            and is_unmodified(end)
        ):
            break
        if not _is_small(convolution):
            break
        own = convolution._parameters  # by its name each takes 0.5 microseconds
        weight, bias = own.get("weight"), own.get("bias")
        if weight is None or bias is None:
            break
        layers.append(Layer(weight, bias, pooled))
        channels = convolution.out_channels
        done += 2 + pooled
        if not pooled:  # the last one that C computes
            break
    return layers, modules[done:]


def _is_autocast_served() -> bool:
    """Whether there is no autocast on the CPU, or one to bfloat16."""
    return not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") is torch.bfloat16


def _is_small(module: nn.Module | None) -> bool:
    return not isinstance(module, nn.Conv2d) or (
        max(module.in_channels, module.out_channels) <= CHANNELS
    )


def _convolves(module: nn.Conv2d, channels: int) -> bool:
    return (
        module.kernel_size == (3, 3)
        and module.padding == (1, 1)
        and module.stride == (1, 1)
        and module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and module.in_channels == channels
        and is_unmodified(module)
    )


def _pools(module: nn.Module | None) -> bool:
    return (
        type(module) is nn.MaxPool2d
        and module.kernel_size == module.stride == 2
        and module.padding == 0
        and module.dilation == 1
        and module.ceil_mode
        and not module.return_indices
        and is_unmodified(module)
    )


def is_unmodified(module: nn.Module) -> bool:
    """Whether a module has no hooks, and no `forward` of its own."""
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in module.__dict__
    )


def _called() -> tuple[object, ...]:
    """What calling a convolution, a max pooling and a ReLU calls; a program may replace each."""
    return (
        *(nn.Conv2d.forward, nn.Conv2d._conv_forward, nn.MaxPool2d.forward, nn.ReLU.forward),
        *(functional.conv2d, functional.max_pool2d, functional.relu),
    )


_TORCHS = _called()


def hooks_for_all() -> bool:
    """Whether there are hooks for every module of the process."""
    return bool(
        torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
        or torch_module._global_backward_hooks
        or torch_module._global_backward_pre_hooks
    )


def _is_plain(layer: Layer) -> bool:
    weight, bias = layer.weight, layer.bias
    return (
        _is_parameter(weight)
        and _is_parameter(bias)
        and (weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last))
        and bias.is_contiguous()
    )


def _is_parameter(tensor: Tensor) -> bool:
    return (
        type(tensor) in (nn.Parameter, Tensor)
        and tensor.dtype == torch.float32
        and tensor.device.type == "cpu"
        and _is_usual(tensor)
    )


def _is_usual(tensor: Tensor) -> bool:
    """Whether a tensor has its numbers in memory, and no tangent (forward-mode differentiation)."""
    return has_memory(tensor) and unpack_dual(tensor)[1] is None  # type: ignore[no-untyped-call]
