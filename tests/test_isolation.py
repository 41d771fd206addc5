"""Isolation: what others left in the process decides no figure, and a run leaves nothing there."""

import dataclasses
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab.core.config import RunConfig, TrainConfig
from lab.measure import predict
from lab.models import Generators, ModelSpec, Settings, isolated, seeded_model, untouched
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import LAST, EpochBatches, Interrupted, fit, load_checkpoint
from support.configs import tiny

IMAGES = torch.randint(0, 256, (40, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
EPOCHS = EpochBatches(IMAGES, torch.arange(40) % 2, batch_size=8, seed=3)
SEVEN = TrainConfig(steps=7, batch_size=8)

NETS = """
import os
import random
import numpy as np
import torch
from torch import nn

os.chdir("/")
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
torch.manual_seed(42)

class Draws(nn.Module):
    '''Draws from Python's and NumPy's generators as it is built, trained and asked.'''

    def __init__(self, spec):
        super().__init__()
        start = random.random() + np.random.rand()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs)
        ).float()
        with torch.no_grad():
            self.layers[1].bias.fill_(start)

    def forward(self, x):
        if random.random() < 0.5:
            x = x.flip(3)
        noise = np.random.randn(len(x), 2).astype("float32")
        return self.layers(x) + 0.5 * torch.from_numpy(noise)

def draws(spec):
    return Draws(spec)

class Sets(Draws):
    '''Sets whatever can be set for the whole process, at every pass.'''

    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(self.training)
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(3)
        return self.layers(x)

def sets(spec):
    torch.set_grad_enabled(False)
    torch.set_default_device("meta")
    model = Sets(spec).to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.01)
    return model

class Plain(Draws):
    def forward(self, x):
        return self.layers(x)

def plain(spec):
    return Plain(spec)
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture
def afterwards() -> Iterator[None]:
    """Whatever a test sets is put back."""
    with isolated():
        yield


def a_run(nets: Path, name: str, out: Path) -> RunConfig:
    usual = {"num_train": 16, "steps": 6, "batch_size": 8, "eval_every": 3, "counterfactuals": 4}
    return tiny(out, model=f"{nets}:{name}", name="run", checkpoint_every=0.0, **usual)


def shown(folder: Path) -> tuple[str, dict[str, Tensor]]:
    """All figures of a run, and its last weights."""
    return (
        (folder / "metrics.jsonl").read_text(),
        load_checkpoint(folder / "checkpoints" / LAST).model,
    )


def equal(one: tuple[str, dict[str, Tensor]], other: tuple[str, dict[str, Tensor]]) -> bool:
    return one[0] == other[0] and all(torch.equal(one[1][k], other[1][k]) for k in one[1])


def everything() -> list[object]:
    """The state of the process that networks can reach."""
    numbers = np.random.get_state(legacy=False)
    state: list[object] = [Settings.now(), random.getstate(), torch.get_rng_state().tolist()]
    state.append(os.getcwd())
    return [*state, repr(sorted(numbers.items())), numbers["state"]["key"].tolist()]


def strange() -> None:
    """A process in which somebody has drawn numbers and set things."""
    random.seed(5)
    np.random.seed(5)
    np.random.randn(3)  # an odd number: one normal number is kept for the next call
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_autocast_enabled("cpu", True)


@pytest.mark.parametrize("name", ["draws", "sets", "plain"])
def test_the_same_seed_is_the_same_run_whatever_the_process_was_before(
    name: str, nets: Path, tmp_path: Path, afterwards: None
) -> None:
    one = start(a_run(nets, name, tmp_path / "one")).folder
    strange()
    before = everything()
    with torch.device("meta"), torch.inference_mode():
        other = start(a_run(nets, name, tmp_path / "other")).folder
    assert everything() == before
    assert equal(shown(one), shown(other))
    model = open_run(other).model
    predict(model, IMAGES)
    assert everything() == before


def test_what_a_network_draws_from_python_and_numpy_goes_on_exactly(
    nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(a_run(nets, "draws", tmp_path / "whole")).folder
    taken = [0]
    seed = Generators.seed

    def stop_in_the_fourth_step(self: Generators, number: int) -> None:
        seed(self, number)
        if (tmp_path / "parts" / "run" / "checkpoints" / "last.pt").exists():
            taken[0] += 1
            if taken[0] == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Generators, "seed", stop_in_the_fourth_step)
        with pytest.raises(Interrupted) as caught:
            start(a_run(nets, "draws", tmp_path / "parts"))
    assert 0 < caught.value.step < 6
    folder = tmp_path / "parts" / "run"
    assert resume(folder) is not None
    assert equal(shown(whole), shown(folder))


class Noisy(nn.Module):
    """Adds noise from every generator, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        drawn = random.random() + np.random.rand() + float(torch.rand(()))
        out: Tensor = self.last(x.mean((2, 3)) + drawn)
        return out


def test_asking_gives_the_same_answer_and_leaves_no_trace() -> None:
    model, before = Noisy(), everything()
    one, same, other = (predict(model, IMAGES, seed=seed) for seed in (0, 0, 1))
    assert everything() == before
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    random.random()
    np.random.rand()
    assert torch.equal(predict(model, IMAGES), one)


def test_a_generator_of_numpy_of_another_kind_is_given_back() -> None:
    from numpy.random import mtrand

    kept = mtrand.get_bit_generator()
    own = np.random.PCG64(7)
    mtrand.set_bit_generator(own)
    try:
        predict(Noisy(), IMAGES)
        assert mtrand.get_bit_generator() is own
        assert own.state == np.random.PCG64(7).state
    finally:
        mtrand.set_bit_generator(kept)


def test_attributes_that_a_pass_binds_anew_are_put_back() -> None:
    class Counts(Noisy):
        count, table = 0, None

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            self.table = torch.zeros(2) if self.table is None else self.table
            return self.last(x.mean((2, 3)))  # type: ignore[no-any-return]

    model = Counts()
    model.count, model.table = 3, None
    with untouched(model):
        model(torch.zeros(1, 3, 4, 4))
    assert (model.count, model.table) == (3, None)


def test_a_second_run_in_the_process_is_refused(tmp_path: Path, nets: Path) -> None:
    """By a network that begins one itself, the third time that it is trained."""
    nets.write_text(
        NETS.replace(
            "class Plain(Draws):", "from pathlib import Path\nclass Plain(Draws):"
        ).replace(
            "def plain(spec):",
            "class Begins(Plain):\n"
            "    def forward(self, x):\n"
            "        from lab.runs.train import start\n"
            "        from lab.core.config import RunConfig\n"
            f"        if Path({str(tmp_path / 'one' / 'run' / 'metrics.jsonl')!r}).exists():\n"
            f"            start(RunConfig(out=Path({str(tmp_path / 'two')!r})))\n"
            "        return super().forward(x)\n"
            "def begins(spec):\n"
            "    return Begins(spec)\n"
            "def plain(spec):",
        )
    )
    with pytest.raises(ValueError, match="another run is going on in this process"):
        start(a_run(nets, "begins", tmp_path / "one"))
    assert not (tmp_path / "two").exists()
    assert start(a_run(nets, "plain", tmp_path / "three")).folder.exists()


def test_what_a_file_seeds_as_it_is_imported_does_not_replace_the_seed(nets: Path) -> None:
    name = f"{nets}:plain"
    weights = [
        seeded_model(name, ModelSpec(image_size=16), seed=seed).layers[1].weight for seed in (0, 1)
    ]
    assert not torch.equal(*weights)


def in_threads(*jobs: Callable[[], object]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_measuring_in_other_threads_does_not_disturb_training() -> None:
    def trained(*others: Callable[[], object]) -> dict[str, Tensor]:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(768, 2))
        config = dataclasses.replace(SEVEN, steps=60)
        in_threads(lambda: fit(model, EPOCHS, config, seed=3), *others)
        return model.state_dict()

    watched = Noisy()
    wanted = predict(watched, IMAGES)
    found: list[bool] = []

    def measure() -> None:
        found.extend(torch.equal(predict(watched, IMAGES), wanted) for _ in range(60))

    alone, disturbed = trained(), trained(measure, measure)
    assert all(torch.equal(alone[name], disturbed[name]) for name in alone)
    assert len(found) == 120
    assert all(found)
