"""Max pooling and ReLU computed in C: torch's results and gradients, to the bit."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from lab.models import ModelSpec, create_model, pooling
from lab.models.pooling import pool_relu_in_c, pool_relu_in_torch
from support.compilers import needs_compiler

pytestmark = [
    needs_compiler,
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes that were pooled in C."""
    found: list[tuple[int, ...]] = []
    assert pooling.is_available()
    compute = pooling.pool_relu_in_c

    def counted(pictures: Tensor) -> Tensor:
        found.append(tuple(pictures.shape))
        return compute(pictures)

    monkeypatch.setattr(pooling, "pool_relu_in_c", counted)
    return found


def _pictures(shape: tuple[int, int, int, int], dtype: torch.dtype) -> Tensor:
    """Few different numbers, so that many positions are equal; zeros of both signs among them."""
    generator = torch.Generator().manual_seed(sum(shape))
    made = torch.randint(-3, 4, shape, generator=generator).to(dtype)
    made[made == 1] = -0.0
    return made.to(memory_format=torch.channels_last)


def _both(pictures: Tensor) -> list[list[Tensor]]:
    """Results and gradients in C and by torch."""
    results = []
    for compute in (pool_relu_in_c, pool_relu_in_torch):
        given = pictures.clone().requires_grad_()
        out = compute(given)
        generator = torch.Generator().manual_seed(0)
        slope = torch.randint(-2, 3, out.shape, generator=generator).to(out)
        slope[slope == 1] = -0.0
        results.append([out.detach(), *torch.autograd.grad(out, given, slope)])
    return results


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [2, 8, 16, 24, 37, 96])
@pytest.mark.parametrize("size", [(4, 6), (5, 5), (7, 2), (1, 9), (8, 1)])
def test_every_bit_is_torchs(dtype: torch.dtype, channels: int, size: tuple[int, int]) -> None:
    for one, other in zip(*_both(_pictures((3, channels, *size), dtype)), strict=True):
        assert one.equal(other)
        assert one.stride() == other.stride()
        # Both zeros are equal, but a gradient is never minus zero, as in torch.
        assert not torch.signbit(one[one == 0]).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_numbers_that_are_not_finite_go_the_way_they_go_in_torch(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.tensor([torch.nan, torch.inf, -torch.inf, -1.0, 0.0, 2.0], dtype=dtype)
    pictures = values[torch.randint(0, 6, (4, 20, 8, 8), generator=generator)]
    pictures = pictures.to(memory_format=torch.channels_last)
    for one, other in zip(*_both(pictures), strict=True):
        assert torch.equal(one.isnan(), other.isnan())
        assert one.nan_to_num(7).equal(other.nan_to_num(7))


def test_without_gradients_and_for_second_derivatives() -> None:
    pictures = _pictures((2, 16, 6, 6), torch.float32)
    assert not pool_relu_in_c(pictures).requires_grad
    found = []
    for compute in (pool_relu_in_c, pool_relu_in_torch):
        given = pictures.clone().requires_grad_()
        (first,) = torch.autograd.grad(compute(given).pow(3).sum(), given, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), given)[0])
    assert found[0].equal(found[1])


@pytest.mark.parametrize("name", ["cnn", "cnn_avgpool"])
@pytest.mark.parametrize(("width", "size"), [(16, 32), (20, 27), (48, 12)])
def test_a_wide_network_is_trained_with_the_bits_of_torch(
    name: str, width: int, size: int, calls: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    model = create_model(name, ModelSpec(width=width, image_size=size))
    assert isinstance(model, nn.Sequential)
    other = copy.deepcopy(model)
    plain = nn.Sequential(*other)
    for step in range(4):
        generator = torch.Generator().manual_seed(step)
        pictures = torch.rand(9, 3, size, size, generator=generator)
        for each in (model, plain):
            for weight in each.parameters():
                weight.grad = None
            cross_entropy(each(pictures), torch.arange(9) % 2).backward()
            with torch.no_grad():
                for weight in each.parameters():
                    assert weight.grad is not None
                    weight -= 0.1 * weight.grad
    assert len(calls) == 4 * sum(isinstance(module, nn.MaxPool2d) for module in model)
    for one, two in zip(model.parameters(), plain.parameters(), strict=True):
        assert one.equal(two)


def _hook(model: nn.Sequential) -> None:
    model[1].register_forward_hook(lambda *_: None)


def _hook_on_relu(model: nn.Sequential) -> None:
    model[2].register_full_backward_hook(lambda *_: None)


def _another_relu(model: nn.Sequential) -> None:
    model[2] = nn.ReLU6()


@pytest.mark.parametrize("change", [_hook, _hook_on_relu, _another_relu])
def test_a_changed_layer_is_called(
    change: Callable[[nn.Sequential], None], calls: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    model = create_model("cnn", ModelSpec(width=16, image_size=16))
    assert isinstance(model, nn.Sequential)
    change(model)
    pictures = torch.rand(9, 3, 16, 16)
    assert model(pictures).equal(nn.Sequential(*model)(pictures))
    assert calls == [(9, 32, 8, 8)]  # the second pooling alone


def test_torch_pools_where_operations_are_recorded_or_more_threads_compute(
    calls: list[tuple[int, ...]],
) -> None:
    torch.manual_seed(0)
    model, pictures = create_model("cnn", ModelSpec(width=16)), torch.rand(2, 3, 32, 32)
    with FlopCounterMode(display=False):
        model(pictures)
    torch.func.vmap(lambda one: model(one[None]))(pictures)
    torch.set_num_threads(2)
    model(pictures)
    assert not calls
    torch.set_num_threads(1)
    model(pictures)
    assert len(calls) == 3
