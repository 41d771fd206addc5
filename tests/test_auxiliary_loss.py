"""What a network's pass leaves for its objective: within a run both see the same modules."""

import gc
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab.core.config import RunConfig
from lab.core.run_dir import RunDir
from lab.experiments import run_grid
from lab.experiments.runner.jobs import key_of
from lab.models import ModelSpec, create_model, file_of, settings_kept
from lab.models.sources import ITSELF
from lab.models.threads import Threads
from lab.pool.train import Job, train_network
from lab.runs.batches import training_batches
from lab.runs.evaluate import evaluate
from lab.runs.network import build_model, dry_run, model_spec
from lab.runs.provenance import OBJECTIVE
from lab.runs.resolve import resolve
from lab.runs.train import resume, start
from lab.training import LAST, create_objective, load_checkpoint, parts_of_batches
from lab.training.batches import WHOLE, Batch
from lab.training.divided import DividedPass
from lab.training.schedule import learning_rate
from lab.worlds import open_world
from support.configs import tiny
from support.run_folders import same_state, stop
from support.scripts import is_refused, load_script
from support.training import IMAGES, LABELS

pytestmark = pytest.mark.usefixtures("short_bootstraps")

SPEC = ModelSpec(image_size=16)

NET = """
from torch import nn
class Net(nn.Sequential):
    def forward(self, x):
        h = super().forward(x)
        AUX[:] = [h.square().mean()]
        return h
def net(spec): return Net(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
"""

LOSS = """
from torch.nn.functional import cross_entropy
def loss(logits, batch): return cross_entropy(logits, batch.labels) + 50 * sum(AUX)
def count(predictions): return len(AUX)
"""

TOGETHER = {"moe": f"AUX = []\n{NET}\n{LOSS}"}
"""One file."""

HELPER = {
    "moe": f"from kept import AUX\n{NET}", "mine": f"from kept import AUX\n{LOSS}",
    "kept": "AUX = []",
}  # fmt: skip
"""Two files that import a third."""

OF_THE_OTHER = {"moe": f"AUX = []\n{NET}", "mine": f"from moe import AUX\n{LOSS}"}
"""One that imports the other."""

LATE = {
    "moe": f"AUX = []\n{NET}",
    "mine": """
from torch.nn.functional import cross_entropy
def loss(logits, batch):
    from importlib import import_module
    return cross_entropy(logits, batch.labels) + 50 * sum(import_module("moe").AUX)
""",
}
"""One that does so when it is called, by a computed name."""

PACKAGE = {
    "nets/__init__": "", "nets/kept": "AUX = []", "nets/moe": f"from .kept import AUX\n{NET}",
    "mine": f"from nets.kept import AUX\n{LOSS}",
}  # fmt: skip
"""The network in a package, and the objective beside that."""

LAYOUTS = {
    "together": TOGETHER, "helper": HELPER, "of the other": OF_THE_OTHER, "late": LATE,
    "package": PACKAGE,
}  # fmt: skip


def write(folder: Path, files: dict[str, str]) -> tuple[str, str]:
    """Files in a folder, and how the network and the objective in them are named."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    net = next(name for name in files if name.endswith("moe"))
    return f"{folder}/{net}.py:net", f"{folder}/{'mine' if 'mine' in files else net}.py:loss"


def config(place: Path, files: dict[str, str], **others: Any) -> RunConfig:
    """A run of six steps of the network and the objective in these files."""
    model, objective = write(place / "mine", files)
    usual: dict[str, Any] = {
        "steps": 6, "num_train": 24, "batch_size": 8, "checkpoint_every": 0.0, "name": "run",
    }  # fmt: skip
    chosen = {**usual, "model": model, "objective": objective, **others}
    return tiny(place / "runs", **chosen)


def weights(folder: Path) -> Any:
    """The weights at the end of a run."""
    return load_checkpoint(folder / "checkpoints" / LAST).model


def plainly(config: RunConfig, *, factor: float = 50.0) -> dict[str, Tensor]:
    """The weights after a loop of one's own: AdamW, cross-entropy and an auxiliary loss."""
    world = open_world(config.data, seed=config.seed)
    model = build_model(config, model_spec(config, world.classes))
    train = world.load("train", config.data.num_train)
    batches = training_batches(config, world, train, WHOLE)
    settings = config.train
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=settings.weight_decay)
    for step in range(settings.max_steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=settings.max_steps, peak=settings.learning_rate)
        batch = batches(step)
        logits = model(batch.images.float() / 127.5 - 1)
        loss = cross_entropy(logits, batch.labels) + factor * logits.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: weight.detach() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_auxiliary_loss_trains_as_a_plain_loop_does(layout: str, tmp_path: Path) -> None:
    mine = config(tmp_path, LAYOUTS[layout])
    trained, wanted = weights(start(mine).folder), plainly(mine)
    without = plainly(mine, factor=0.0)
    for name, weight in wanted.items():
        torch.testing.assert_close(trained[name], weight, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(trained[name], without[name], rtol=1e-2, atol=1e-4)


def test_networks_of_several_runs_stay_apart(tmp_path: Path) -> None:
    """Each objective sees what its own network leaves, whichever was asked last."""
    made = []
    for name in ("a", "b", "a"):
        net, loss = write(tmp_path / name, TOGETHER)
        model = create_model(net, SPEC, seed=len(made))
        made.append((model, create_objective(loss, beside=model)))
    alone = create_objective(loss)
    for scale, (model, _) in enumerate(made, start=1):
        model(torch.full((2, 3, 16, 16), float(scale)))
    logits, labels = torch.zeros(2, 2), torch.tensor([0, 1])
    batch = Batch(images=torch.zeros(2), labels=labels, groups=labels, indices=labels)
    plain = cross_entropy(logits, labels)
    assert torch.equal(alone(logits, batch), plain)
    for scale, (model, objective) in enumerate(made, start=1):
        answers = model[1](torch.full((2, 768), float(scale)))  # not by its own forward
        torch.testing.assert_close(objective(logits, batch), plain + 50 * answers.square().mean())


def test_helpers_of_one_name_in_other_folders_stay_apart(tmp_path: Path) -> None:
    net = "from torch import nn\nfrom kept import SIZE\nclass net(nn.Linear):\n"
    net += "    def __init__(self, spec): super().__init__(SIZE, 1)"
    model = create_model(write(tmp_path / "a", {"moe": net, "kept": "SIZE = 3"})[0], SPEC)
    loss = "from kept import SIZE\ndef loss(logits, batch): return SIZE * logits"
    name = write(tmp_path / "b", {"mine": loss, "moe": "", "kept": "SIZE = 5"})[1]
    objective = create_objective(name, beside=model)
    assert objective(torch.ones(()), None) == 5  # type: ignore[arg-type]


def test_modules_go_with_network_and_objective(tmp_path: Path) -> None:
    gc.collect()
    before = set(sys.modules)
    net, loss = write(tmp_path, HELPER)
    model = create_model(net, SPEC)
    objective = create_objective(loss, beside=model)
    assert set(sys.modules) > before
    del model
    gc.collect()
    assert objective.space is not None
    assert set(objective.space.loaded) == {ITSELF, "kept.py"}
    del objective
    gc.collect()
    assert set(sys.modules) == before


def test_a_module_that_only_an_earlier_objective_had_is_made_anew(tmp_path: Path) -> None:
    """As for the second training of a network of a pool."""
    files = {**HELPER, "mine": "SEEN = []\ndef loss(logits, batch): SEEN.append(1); return SEEN"}
    net, loss = write(tmp_path, files)
    model = create_model(net, SPEC)
    for _ in range(2):
        objective = create_objective(loss, beside=model)
        assert objective(torch.zeros(()), None) == [1]  # type: ignore[arg-type, comparison-overlap]
        del objective
        gc.collect()


# Whatever else goes on in a run


def test_measuring_leaves_nothing_in_the_next_step(tmp_path: Path) -> None:
    often = weights(start(config(tmp_path / "a", TOGETHER, eval_every=1)).folder)
    seldom = weights(start(config(tmp_path / "b", TOGETHER, eval_every=6)).folder)
    assert same_state(often, seldom)


def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path: Path) -> None:
    folder = start(config(tmp_path, HELPER)).folder
    whole = weights(folder)
    stop(folder)
    assert not same_state(weights(folder), whole)
    assert resume(folder) is not None
    assert same_state(weights(folder), whole)


@pytest.mark.parametrize("layout", ["together", "helper", "of the other"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_moved_network_takes_its_objective_along(layout: str, gone: bool, tmp_path: Path) -> None:
    folder = start(config(tmp_path, LAYOUTS[layout])).folder
    whole = weights(folder)
    stop(folder)
    there = tmp_path / "there"
    shutil.copytree(tmp_path / "mine", there)
    if gone:
        shutil.rmtree(tmp_path / "mine")
    assert resume(folder, model_file=there / "moe.py") is not None
    assert same_state(weights(folder), whole)
    assert RunDir(folder).config().train.objective.startswith(f"{there}/")


def test_a_network_that_is_parted_from_its_objective_is_refused(tmp_path: Path) -> None:
    folder = start(config(tmp_path, PACKAGE)).folder
    stop(folder)
    shutil.copytree(tmp_path / "mine" / "nets", tmp_path / "there" / "nets")
    file = tmp_path / "there" / "nets" / "moe.py"
    line = is_refused(
        load_script("train").train, ["--resume", str(folder), "--model-file", str(file)]
    )
    assert "mine.py:loss had code in common" in line
    assert resume(folder) is not None


def test_a_network_moves_alone_where_it_shares_nothing(tmp_path: Path) -> None:
    loss = "from torch.nn.functional import cross_entropy\n"
    loss += "def loss(logits, batch): return cross_entropy(logits, batch.labels)"
    folder = start(config(tmp_path, {"moe": f"AUX = []\n{NET}", "mine": loss})).folder
    whole = weights(folder)
    stop(folder)
    file = shutil.copy(tmp_path / "mine" / "moe.py", tmp_path / "other.py")
    assert resume(folder, model_file=Path(file)) is not None
    assert same_state(weights(folder), whole)
    assert RunDir(folder).config().train.objective == f"{tmp_path}/mine/mine.py:loss"


def test_a_changed_helper_is_one_of_both(tmp_path: Path) -> None:
    folder = start(config(tmp_path, HELPER)).folder
    sources = set(RunDir(folder).settings()[1].sources)
    own = {ITSELF, "kept.py"}
    assert sources == own | {f"{OBJECTIVE}{name}" for name in own}
    stop(folder)
    (tmp_path / "mine" / "mine.py").write_text(HELPER["mine"] + "\n# changed")
    line = is_refused(load_script("train").train, ["--resume", str(folder)])
    assert f"{OBJECTIVE}{ITSELF} is changed" in line
    assert resume(folder, changed_code=True) is not None


@pytest.mark.usefixtures("runs_here")
def test_a_grid_and_a_pool_train_with_it(tmp_path: Path) -> None:
    mine = config(tmp_path, TOGETHER, name=None)
    run_grid(mine, {"steps": [6]}, seeds=1, out=tmp_path / "grid", processes=1)
    (folder,) = (path.parent.parent for path in (tmp_path / "grid").rglob(LAST))
    for name, weight in plainly(mine).items():
        torch.testing.assert_close(weights(folder)[name], weight, rtol=1e-4, atol=1e-6)
    needs = TOGETHER["moe"].replace("batch): return", "batch): assert len(AUX) == 1; return")
    (tmp_path / "mine" / "moe.py").write_text(needs)
    pool = resolve(mine).config
    train_network(Job(network=0, config=pool, share=0.7, key=key_of(pool)))


def test_metrics_see_the_modules_of_the_network_too(tmp_path: Path) -> None:
    """Also those of an objective whose network is the lab's."""
    model, objective = write(tmp_path / "mine", TOGETHER)
    metric = (objective.replace(":loss", ":count"),)
    of_both = start(config(tmp_path / "a", TOGETHER, objective=objective, model=model,
                           metric=metric)).folder  # fmt: skip
    assert RunDir(of_both).summary()["own"]["count"]["value"] == 1
    written = tmp_path / "told.json"
    with settings_kept():
        evaluate(of_both, json_file=written, counterfactuals=0, lists={}, numbers={})
    assert '"count": 1' in written.read_text()
    calls = "CALLS = []\nfrom torch.nn.functional import cross_entropy\n"
    calls += (
        "def loss(logits, batch): CALLS.append(1); return cross_entropy(logits, batch.labels)\n"
    )
    calls += "def count(predictions): return len(CALLS)"
    (tmp_path / "own.py").write_text(calls)
    own = f"{tmp_path}/own.py"
    labs = start(tiny(tmp_path / "b", objective=f"{own}:loss", metric=(f"{own}:count",))).folder
    assert RunDir(labs).summary()["own"]["count"]["value"] == 3


# Threads


PENALTY = """
from torch import nn
from torch.nn.functional import cross_entropy
NETS = []
def net(spec):
    NETS[:] = [nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))]
    return NETS[0]
def loss(logits, batch):
    return cross_entropy(logits, batch.labels) + 50 * logits_of(batch).square().mean()
def logits_of(batch):
    return NETS[0](batch.images.float() / 127.5 - 1)
"""


def test_a_loss_that_asks_the_network_trains_on_several_threads(tmp_path: Path) -> None:
    mine = config(tmp_path, {"moe": PENALTY}, threads=2)
    with settings_kept():
        trained = weights(start(mine).folder)
    for name, weight in plainly(mine).items():
        torch.testing.assert_close(trained[name], weight, rtol=1e-4, atol=1e-6)


def test_only_what_shares_code_is_not_divided(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    for name, files in LAYOUTS.items():
        parts = parts_of_batches(model, config(tmp_path / name, files, threads=2))
        assert parts == (2 if name == "late" else 1), "a computed name is not known before"
    for others in ({"objective": "erm"}, {"model": "cnn"}):
        assert parts_of_batches(model, config(tmp_path, TOGETHER, threads=2, **others)) == 2
    apart = {"moe": f"AUX = []\n{NET}", "mine": f"AUX = []\n{LOSS}"}
    assert parts_of_batches(model, config(tmp_path / "apart", apart, threads=2)) == 2


def test_the_gradient_of_a_loss_that_reads_the_weights_is_added() -> None:
    inputs, labels = IMAGES[:30].float() / 255, LABELS[:30]
    whole, divided = (create_model("cnn", SPEC, seed=1) for _ in range(2))

    def loss(logits: Tensor, model: nn.Module) -> Tensor:
        return cross_entropy(logits, labels) + sum(p.abs().sum() for p in model.parameters())

    loss(whole(inputs), whole).backward()  # type: ignore[no-untyped-call]
    each = DividedPass(divided, list(divided.parameters()), Threads(2))
    loss(each(inputs), divided).backward()  # type: ignore[no-untyped-call]
    each.backward()
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-5)


# The dry run


NEEDS = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy
FEATURES = None
class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, spec.num_outputs)
    def forward(self, x):
        global FEATURES
        FEATURES = self.body(x)
        return self.head(FEATURES)
def net(spec): return Net(spec)
def loss(logits, batch):
    "Cross-entropy, and the distances of the features from the mean of their class."
    apart = FEATURES - torch.stack([FEATURES[batch.labels == c].mean(0) for c in batch.labels])
    return cross_entropy(logits, batch.labels) + apart.square().mean()
def broken(logits, batch):
    return cross_entropy(logits, batch.labels) + FEATURES[batch.colors]
"""


def test_an_objective_that_needs_a_pass_of_the_network_is_tried_after_one(tmp_path: Path) -> None:
    mine = config(tmp_path, {"moe": NEEDS})
    assert dry_run(mine, SPEC).warnings == ()
    assert weights(start(mine).folder)


def test_one_that_fails_even_then_is_one_line(tmp_path: Path) -> None:
    model, objective = write(tmp_path, {"moe": NEEDS})
    objective = objective.replace(":loss", ":broken")
    words = ["--objective", objective, "--model", model, "--num-train", "8", "--num-test", "4"]
    words += ["--out", str(tmp_path / "runs"), "--image-size", "16"]
    line = is_refused(load_script("train").train, words)
    assert f"--objective {objective}: its __call__" in line
    assert "'colors'" in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_said_of_an_auxiliary_loss(layout: str, tmp_path: Path) -> None:
    mine = config(tmp_path, LAYOUTS[layout])
    assert file_of(mine.model.model) is not None
    assert dry_run(mine, SPEC).warnings == ()
