"""State that training changes and that no checkpoint has is seen wherever network and objective
keep it, and what they compute anew, fill once or only record is not."""

from pathlib import Path

import pytest
from torch import nn

from lab.core.config import TrainConfig
from lab.models import ModelSpec, seeded_model
from lab.training import Trial, try_out

SPEC = ModelSpec(image_size=8, num_outputs=2, width=8)

START = """
import functools, itertools, logging, random, threading, time, types, weakref
from collections import Counter, defaultdict, deque
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective

def loss_of(logits, batch):
    return cross_entropy(logits, batch.labels)

class Helper:
    def __init__(self):
        self.step = 0
        self.log = logging.getLogger("mine")
        self.lock = threading.Lock()

class Slotted:
    __slots__ = ("step", "unbound")
    def __init__(self):
        self.step = 0

STEP, ARRAY, HELPER, SLOTTED, COUNT = 0, np.zeros(2), Helper(), Slotted(), itertools.count()
SIMPLE, KEPT, TABLE, QUEUE = types.SimpleNamespace(step=0), [0], {"a": {"b": 0}}, deque(maxlen=40)
TEACHER, SEEN = nn.Linear(2, 1), Counter()

def steps():
    for step in range(100):
        yield step
STEPS = steps()

def closed(n=0):
    n = [n]
    def tick():
        n[0] += 1
    return tick
TICK = closed()

def default(kept=[0]):
    kept[0] += 1

def rebinding():
    n = 0
    def tick():
        nonlocal n
        n += 1
    return tick
AGAIN = functools.partial(rebinding())

class Shared:
    step = 0
"""

CHANGES = {
    "STEP": "global STEP; STEP += 1",
    "ARRAY": "ARRAY[0] += 1",
    "HELPER.step": "HELPER.step += 1",
    "SLOTTED.step": "SLOTTED.step += 1",
    "COUNT": "next(COUNT)",
    "SIMPLE.step": "SIMPLE.step += 1",
    "KEPT": "KEPT[0] += 1",
    "TABLE": "TABLE['a']['b'] += 1",
    "QUEUE": "QUEUE.append(torch.zeros(1))",
    "TEACHER.weight": "TEACHER.weight.data.add_(1)",
    "SEEN": "SEEN['a'] += 1",
    "STEPS.step": "next(STEPS)",
    "TICK.n": "TICK()",
    "default.kept": "default()",
    "AGAIN.func.n": "AGAIN()",
    "Shared.step": "Shared.step += 1",
    "loss_of.step": "loss_of.step = getattr(loss_of, 'step', 0) + 1",
}
"""What a line of code changes, by the name that it is told by."""

SILENT = {
    "computed anew": "TABLE['a'] = logits.mean()",
    "an array computed anew": "global ARRAY; ARRAY = logits.detach().cpu().numpy()",
    "by object": "TABLE[torch.device('cpu')] = TABLE[id(TABLE)] = logits.detach()",
    "of an object anew": "HELPER.last = logits",
    "drawn": "HELPER.drawn = torch.rand(2), np.random.rand(2), random.random()",
    "filled once": "TABLE.setdefault('once', torch.arange(8))",
    "a log": "HELPER.__dict__.setdefault('losses', []).append(1.0)",
    "logs by name": "TABLE.setdefault('losses', []).append(float(logits.detach().sum()))",
    "a log beside a result": "TABLE.setdefault('x', []).append(1); TABLE['a'] = logits",
    "a cache by key": "TABLE[len(TABLE)] = torch.rand(2)",
    "logs of a default": "SIMPLE.__dict__.setdefault('x', defaultdict(list))['a'].append(1)",
    "a lock, a logger": "HELPER.lock = threading.Lock(); HELPER.log = logging.Logger('x')",
    "a generator": "HELPER.random = random.Random(0); HELPER.random.random()",
    "emptied": "KEPT.clear(); KEPT.extend([logits, 1])",
    "a time": "HELPER.when = time.time(); TABLE['when'] = time.perf_counter()",
    "a proxy of nothing": "global STEP; STEP = weakref.proxy(Helper())",
    "out of its context": "torch.func.vmap(lambda x: TABLE.update(a=x) or x)(logits.detach())",
    "sparse, or short": "TABLE['a'] = torch.eye(2).to_sparse(), torch.ones(1).bfloat16()",
    "in itself": "TABLE['self'] = TABLE; HELPER.own = HELPER",
}


def a_network(code: str) -> str:
    return (
        START
        + f"""
class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
    def forward(self, x):
        logits, batch = self.net(x), x
        if self.training:
            change(logits, batch)
        return logits
def change(logits, batch):
    {code}
"""
    )


KEEPERS = """
def hook_of():
    n = 0
    def count(module, inputs, outputs):
        nonlocal n
        n += 1
    def anew(module, inputs, outputs):
        nonlocal n
        n = outputs.mean()
    return count, anew

class Hooked(Net):
    place = 0
    def __init__(self, spec):
        super().__init__(spec)
        self.net[1].register_forward_hook(hook_of()[self.place])

class HookedAnew(Hooked):
    place = 1

class OfHelpers(Net):
    def __init__(self, spec):
        super().__init__(spec)
        self.helper, self.helpers = Helper(), [Slotted()]
        self.queue, self.array, self.counter = deque(maxlen=9), np.zeros(1), itertools.count()
        self.tick, self.whole = closed(), deque()

    def forward(self, x):
        logits = super().forward(x)
        if self.training:
            self.helper.step += 1
            self.helpers[0].step += 1
            self.queue.append(logits.detach())
            self.whole.append(logits.detach())
            self.array += 1
            next(self.counter)
            self.tick()
        return logits
"""


def an_objective(code: str) -> str:
    return (
        START
        + f"""
def mine(logits, batch):
    {code}
    return loss_of(logits, batch)
"""
    )


def tried(model: str = "linear", objective: str = "erm") -> Trial:
    def build(seed: int) -> nn.Module:
        return seeded_model(model, SPEC, seed=seed)

    config = TrainConfig(batch_size=8, objective=objective)
    return try_out(build, SPEC, config, name=model, seed=0)


def written(folder: Path, text: str) -> str:
    (folder / "own.py").write_text(text)
    return f"{folder / 'own.py'}"


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_network_changes_is_told(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, a_network(CHANGES[name]))
    trial = tried(f"{path}:Net")
    assert trial.unkept.names == (f"own.{name}",)
    (line,) = trial.warnings
    assert line.startswith(f"--model {path}:Net: training changes its 'own.{name}'")


@pytest.mark.parametrize("name", CHANGES)
def test_what_an_objective_changes_is_told_of_it(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, an_objective(CHANGES[name]))
    trial = tried(objective=f"{path}:mine")
    assert trial.unkept.objective == (f"own.{name}",)
    (line,) = trial.warnings
    assert line.startswith(f"--objective {path}:mine: training changes its 'own.{name}'")


@pytest.mark.parametrize(
    ("name", "told"),
    [("Hooked", {"net.1.count.n"}), ("HookedAnew", set()),
     ("OfHelpers", {"helper.step", "helpers", "queue", "array", "counter", "tick.n"})],
)  # fmt: skip
def test_what_hooks_and_objects_of_a_network_keep(
    name: str, told: set[str], tmp_path: Path
) -> None:
    trial = tried(f"{written(tmp_path, a_network('pass') + KEEPERS)}:{name}")
    assert set(trial.unkept.names) == told
    assert len(trial.warnings) == bool(told)


def test_a_large_table_hides_nothing_else(tmp_path: Path) -> None:
    table = "\nLARGE = [[n] * 500 for n in range(500)]\nCHANGED = list(map(list, LARGE))\n"
    code = CHANGES["STEP"] + "; CHANGED[0][0] += 1"
    path = written(tmp_path, table + a_network(code))
    assert tried(f"{path}:Net").unkept.names == ("own.STEP",)


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_what_is_computed_anew_or_recorded_is_not_told(code: str, tmp_path: Path) -> None:
    assert tried(f"{written(tmp_path, a_network(code))}:Net").warnings == ()
    assert tried(objective=f"{written(tmp_path, an_objective(code))}:mine").warnings == ()


@pytest.mark.parametrize("of_network", [True, False])
def test_of_a_file_in_common_the_one_that_changes_it_is_named(
    of_network: bool, tmp_path: Path
) -> None:
    codes = ("global STEP; STEP += 1", "pass")
    one, two = codes if of_network else codes[::-1]
    text = a_network(one) + an_objective(two).removeprefix(START)
    path = written(tmp_path, text)
    trial = tried(f"{path}:Net", f"{path}:mine")
    (line,) = trial.warnings
    assert line.startswith(f"--model {path}" if of_network else f"--objective {path}")
    assert bool(trial.unkept.names) == of_network


def test_what_a_pass_leaves_for_an_objective_is_not_told(tmp_path: Path) -> None:
    path = written(tmp_path, a_network("TABLE['balance'] = logits.square().mean()"))
    with open(path, "a") as file:
        file.write(
            "def mine(logits, batch):\n    return loss_of(logits, batch) + TABLE['balance']\n"
        )
    assert tried(f"{path}:Net", f"{path}:mine").warnings == ()


CLASS = """
class Mine(Objective):
    def __init__(self):
        self.step, self.helper, self.seen = 0, Helper(), []

    def __call__(self, logits, batch):
        self.step += 1
        self.helper.step += 1
        self.seen.append(self.step)
        self.last = logits
        return loss_of(logits, batch)

class Kept(Mine):
    def state(self):
        return {"steps": [self.step, self.helper.step]}

    def restore(self, state):
        self.step, self.helper.step = state["steps"]

class Called:
    step = 0

    def __call__(self, logits, batch):
        self.step += 1
        return loss_of(logits, batch)

called = Called()
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [("Mine", ("step", "helper.step")), ("Kept", ()), ("called", ("own.called.step",))],
)
def test_an_objective_with_a_state_is_asked_for_what_it_lacks(
    name: str, told: tuple[str, ...], tmp_path: Path
) -> None:
    trial = tried(objective=f"{written(tmp_path, START + CLASS)}:{name}")
    assert trial.unkept.objective == told
    assert len(trial.warnings) == bool(told)


@pytest.mark.parametrize("objective", ["erm", "group_dro", "reweighting"])
@pytest.mark.parametrize("network", ["cnn", "resnet", "mlp"])
def test_the_labs_own_have_nothing_to_tell(network: str, objective: str) -> None:
    assert not tried(network, objective).unkept
