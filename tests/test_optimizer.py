"""Muon against its definition, and that it trains."""

import math

import pytest
import torch
from torch import nn

from lab.core.config import TrainConfig
from lab.models import ModelSpec, create_model, list_models
from lab.models.threads import Threads
from lab.training.optimizer import create_optimizer, hidden_matrices, orthogonalized


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_an_orthogonalized_matrix_has_the_singular_vectors_and_values_near_one(
    shape: tuple[int, int],
) -> None:
    """Against the singular value decomposition. Three iterations bring values of 0.1 of the largest
    and more near 1."""
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    matrix = u @ torch.diag(torch.linspace(0.3, 1, min(shape))) @ v
    found = u.T @ orthogonalized(matrix) @ v.T
    values = found.diagonal()
    assert torch.allclose(found, torch.diag(values), atol=1e-4)
    assert bool(((values > 0.6) & (values < 1.3)).all())


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12), (48, 216)])
def test_products_with_the_short_side_give_what_the_iterations_do(shape: tuple[int, int]) -> None:
    """Against the iteration as it is published, on the matrix itself and in float64."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    x = matrix.double() / matrix.double().norm()
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    torch.testing.assert_close(orthogonalized(matrix).double(), x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_zero_gradient_moves_nothing_and_a_large_one_something(dtype: torch.dtype) -> None:
    assert orthogonalized(torch.zeros(3, 5, dtype=dtype)).equal(torch.zeros(3, 5, dtype=dtype))
    large = torch.randn(24, 216, generator=torch.Generator().manual_seed(0)) * 100
    found = orthogonalized(large.to(dtype)).float()
    torch.testing.assert_close(found, orthogonalized(large), rtol=0.1, atol=0.05)


@pytest.mark.parametrize("name", ["cnn", "mlp", "resnet", "vit"])
def test_hidden_matrices_are_between_the_first_and_the_last(name: str) -> None:
    weights = list(create_model(name, ModelSpec(width=4), seed=0).parameters())
    hidden = hidden_matrices(weights)
    matrices = [weight for weight in weights if weight.ndim >= 2]
    assert hidden
    assert all(weight is not matrices[0] and weight is not matrices[-1] for weight in hidden)


def test_every_model_has_an_optimizer() -> None:
    """One without hidden matrices (`linear`) is trained by AdamW alone."""
    for name in list_models():
        weights = list(create_model(name, ModelSpec(width=4), seed=0).parameters())
        made = create_optimizer(weights, TrainConfig(optimizer="muon"), fused=True)
        assert sum(len(group["params"]) for group in made.param_groups) == len(weights)


def test_a_step_is_as_defined() -> None:
    """Weight decay, Nesterov momentum over two steps, and the rate's scale for tall matrices."""
    torch.manual_seed(0)
    middle = nn.Linear(4, 9)
    network = nn.Sequential(nn.Linear(3, 4), middle, nn.Linear(9, 2))
    config = TrainConfig(optimizer="muon", weight_decay=0.1)
    made = create_optimizer(list(network.parameters()), config, fused=True)
    for group in made.param_groups:
        group["lr"] = group.get("scale", 1) * 0.01
    weight, momentum = middle.weight.detach().clone(), torch.zeros(9, 4)
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.zero_grad()
        network(torch.randn(5, 3)).square().sum().backward()
        gradient = middle.weight.grad
        assert gradient is not None
        momentum = 0.9 * momentum + gradient
        update = orthogonalized(gradient + 0.9 * momentum)
        weight = weight * (1 - 0.01 * 0.1) - 0.15 * math.sqrt(9 / 4) * update
        made.step()
        assert torch.allclose(middle.weight, weight, atol=1e-5)


def test_a_bad_step_is_skipped_on_the_device() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    made = create_optimizer(list(network.parameters()), TrainConfig(optimizer="muon"), fused=True)
    before = [weight.detach().clone() for weight in network.parameters()]
    made.found_inf = torch.ones(())  # type: ignore[attr-defined]
    (network(torch.randn(5, 3)).sum() * math.inf).backward()
    made.step()
    assert all(map(torch.equal, before, network.parameters()))


def test_threads_do_not_change_muon() -> None:
    found = []
    for threads in (None, Threads(3)):
        weights = list(create_model("cnn", ModelSpec(width=4), seed=0).parameters())
        made = create_optimizer(weights, TrainConfig(optimizer="muon"), fused=True, threads=threads)
        for number in range(3):
            torch.manual_seed(number)
            for weight in weights:
                weight.grad = torch.randn_like(weight)
            made.step()
        found.append(weights)
    assert all(map(torch.equal, *found))
