"""Networks with tensors that are not dense: sparse, quantized and nested buffers and attributes."""

import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.text import LONGEST, one_line
from lab.measure import predict
from lab.models import NetworkError, blamed, deep_copy, same_tensor, untouched
from lab.runs.load import open_run, open_snapshot
from lab.runs.train import resume, start
from lab.tracking.writer import Tracker
from lab.training import Interrupted
from support.configs import tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse (CSR|CSC|BSR|BSC) tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype"),
    pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions.*deprecated"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated"),
]

NETS = """
import torch
from torch import nn

class Graph(nn.Module):
    layout, where = "coo", "kept"

    def __init__(self, spec):
        super().__init__()
        near = torch.eye(8) + torch.eye(8).roll(1, 0)
        near = near.to_sparse() if self.layout == "coo" else near.to_sparse_csr()
        if self.where == "attribute":
            self.near = near
        elif self.where == "parameter":
            self.near = nn.Parameter(near)
        else:
            self.register_buffer("near", near, persistent=self.where == "kept")
        self.inner = nn.Linear(3 * spec.image_size**2, 8)
        self.out = nn.Linear(8, spec.num_outputs)

    def forward(self, x):
        hidden = self.inner(x.flatten(1))
        with torch.autocast("cpu", enabled=False):
            hidden = torch.sparse.mm(self.near, hidden.float().T).T
        return self.out(hidden.relu())

class Dense(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.near = self.near.to_dense()

class Grows(Graph):
    def forward(self, x):
        if self.training:
            self.near = (self.near + torch.eye(8).roll(2, 0).to_sparse() / 100).coalesce()
        return super().forward(x)

class Notes(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.noted = self.near.to_sparse_coo()

    def forward(self, x):
        if self.training:
            self.noted = self.noted * 2
        return super().forward(x)

class Opaque(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.register_buffer("table", torch.eye(8).to_mkldnn())

class Nested(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.register_buffer("table", torch.nested.nested_tensor([torch.eye(8), torch.eye(2)]))

class CooLoose(Graph):
    where = "loose"

class CooAttribute(Graph):
    where = "attribute"

class CooParameter(Graph):
    where = "parameter"

class Csr(Graph):
    layout = "csr"

class CsrLoose(Csr):
    where = "loose"

class CsrAttribute(Csr):
    where = "attribute"

class Float8(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.table = nn.Parameter(torch.eye(8).to(torch.float8_e4m3fn))

    def forward(self, x):
        return super().forward(x) * self.table.float().mean()

class Frozen(Graph):
    def __init__(self, spec):
        super().__init__(spec)
        self.table = nn.Parameter(torch.eye(8).to(torch.float8_e4m3fn), requires_grad=False)
"""

SPARSE = ("Graph", "CooLoose", "CooAttribute", "Csr", "CsrLoose", "CsrAttribute")

MATRIX = torch.eye(4) + torch.eye(4).roll(1, 0) / 3

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "dense": Tensor.clone,
    "coo": lambda t: t.to_sparse(),
    "csr": lambda t: t.to_sparse_csr(),
    "csc": lambda t: t.to_sparse_csc(),
    "bsr": lambda t: t.to_sparse_bsr((2, 2)),
    "bsc": lambda t: t.to_sparse_bsc((2, 2)),
    "mkldnn": lambda t: t.to_mkldnn(),
    "quantized": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "nested": lambda t: torch.nested.nested_tensor([t, t[:2]]),
    "jagged": lambda t: torch.nested.nested_tensor([t, t[:2]], layout=torch.jagged),
    "float8": lambda t: t.to(torch.float8_e4m3fn),
    "complex": lambda t: t.to(torch.complex64),
}


@pytest.fixture(name="nets")
def _nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


@pytest.mark.parametrize("rounding", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_of_every_layout_are_compared(layout: str, rounding: bool) -> None:
    made = LAYOUTS[layout]
    assert same_tensor(made(MATRIX), made(MATRIX), rounding=rounding)
    assert not same_tensor(made(MATRIX), made(MATRIX * 2), rounding=rounding)
    assert not same_tensor(made(MATRIX), made(MATRIX.roll(1, 1)), rounding=rounding)
    if layout != "dense":
        assert not same_tensor(made(MATRIX), MATRIX, rounding=rounding)


@pytest.mark.parametrize("layout", ["dense", "coo", "csr", "csc", "bsr", "bsc", "complex"])
def test_rounding_is_forgiven_where_it_is_asked_for(layout: str) -> None:
    one, other = LAYOUTS[layout](MATRIX), LAYOUTS[layout](MATRIX * (1 + 1e-6))
    assert same_tensor(one, other, rounding=True)
    assert not same_tensor(one, other)


def test_the_order_of_a_sparse_tensors_entries_does_not_matter() -> None:
    one = torch.sparse_coo_tensor(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([2.0, 3.0]), (2, 2), check_invariants=True
    )
    two = torch.sparse_coo_tensor(
        torch.tensor([[1, 0], [0, 1]]), torch.tensor([3.0, 2.0]), (2, 2), check_invariants=True
    )
    assert same_tensor(one, two)


def test_whole_numbers_are_never_rounded_and_types_and_shapes_count() -> None:
    one = torch.tensor([10**6])
    assert not same_tensor(one, one + 1, rounding=True)
    assert not same_tensor(one, one.double())
    assert not same_tensor(one, one[:, None])
    assert same_tensor(torch.ones(2, device="meta"), torch.ones(2, device="meta"))
    assert same_tensor(torch.tensor(torch.nan), torch.tensor(torch.nan), rounding=True)


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
def test_a_copy_of_a_network_has_sparse_tensors_of_its_own(layout: str) -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("near", LAYOUTS[layout](MATRIX))
    model.held = LAYOUTS[layout](MATRIX)  # type: ignore[assignment]
    copied = deep_copy(model)
    assert isinstance(copied.near, Tensor)
    assert copied.near is not model.near
    assert same_tensor(copied.near, LAYOUTS[layout](MATRIX))
    copied.near.values().zero_()
    copied.held.values().zero_()
    assert same_tensor(model.near, LAYOUTS[layout](MATRIX))
    assert same_tensor(model.held, LAYOUTS[layout](MATRIX))
    state = deep_copy(model.state_dict())
    assert list(state) == list(model.state_dict())
    assert same_tensor(state["near"], LAYOUTS[layout](MATRIX))


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "nested", "mkldnn"])
def test_a_measurement_leaves_no_trace_in_such_a_buffer(layout: str) -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("near", LAYOUTS[layout](MATRIX))
    with untouched(model):
        model.near = LAYOUTS[layout](MATRIX * 2)
    assert same_tensor(model.near, LAYOUTS[layout](MATRIX))
    if layout in ("coo", "csr", "csc", "bsr"):
        with untouched(model):
            model.near.values().zero_() if layout != "coo" else model.near.zero_()
        assert same_tensor(model.near, LAYOUTS[layout](MATRIX))


def a_run(nets: Path, network: str, name: str = "run") -> RunConfig:
    return tiny(
        nets.parent / "runs", model=f"{nets}:{network}", num_train=16, steps=8, batch_size=8,
        eval_every=2, name=name, width=16,
    )  # fmt: skip


def stopped(config: RunConfig, at: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped at a step with an evaluation."""
    scalars = Tracker.scalars

    def tell(tracker: Tracker, step: int, figures: object) -> None:
        scalars(tracker, step, figures)  # type: ignore[arg-type]
        if step == at:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "scalars", tell)
        with pytest.raises(Interrupted):
            start(config)
    return config.out / str(config.name)


@pytest.mark.parametrize("network", [*SPARSE, "Grows"])
def test_networks_with_sparse_tensors_are_trained_and_go_on_exactly(
    network: str, nets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(a_run(nets, network, "whole"))
    folder = stopped(a_run(nets, network), 4, monkeypatch)
    assert resume(folder) is not None
    told = capsys.readouterr()
    assert "warning: --model" not in told.out + told.err
    one, other = (open_run(folder.parent / name) for name in ("whole", "run"))
    mine, others = one.model.state_dict(), other.model.state_dict()
    assert mine.keys() == others.keys()
    assert all(same_tensor(value, others[key]) for key, value in mine.items())
    pictures = torch.randint(256, (3, 3, 16, 16), dtype=torch.uint8)
    assert torch.equal(predict(one.model, pictures), predict(other.model, pictures))


@pytest.mark.parametrize("network", ["Graph", "Csr"])
def test_the_best_weights_and_snapshots_hold_sparse_tensors(network: str, nets: Path) -> None:
    config = a_run(nets, network)
    early = replace(config.train, early_stopping=3, num_validation=8)
    start(replace(config, train=early))
    assert open_run(config.out / "run").step >= 0
    start(replace(config, name="watched", snapshots=8.0))
    folder = config.out / "watched"
    opened = open_run(folder)
    assert open_snapshot(folder, 0, opened).step == 0


def test_a_sparse_attribute_that_training_changes_is_told(
    nets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(a_run(nets, "Notes"), 2, monkeypatch)
    assert "training changes its 'noted'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("network", "line"),
    [
        ("Opaque", "its state cannot be kept: 'table' holds a tensor of the layout torch._mkldnn"),
        ("Nested", "cannot take back its own state"),
        ("CooParameter", "its parameter 'near' is of the layout torch.sparse_coo, which cannot"),
        ("Float8", "its parameter 'table' is of the type torch.float8_e4m3fn, which cannot"),
    ],
)
def test_what_cannot_be_trained_or_saved_is_one_line(network: str, line: str, nets: Path) -> None:
    config = a_run(nets, network)
    with pytest.raises(ValueError, match=re.escape(line)) as caught:
        start(config)
    said = str(caught.value)
    assert said.startswith(f"--model {nets}:{network}")
    assert "\n" not in said
    assert len(said) < len(str(nets)) + 300
    assert not (config.out / "run").exists()


def test_a_frozen_parameter_of_such_a_type_is_no_reason_to_refuse(nets: Path) -> None:
    start(a_run(nets, "Frozen"))


def test_torchs_tables_of_kernels_are_not_quoted() -> None:
    with pytest.raises(NetworkError) as caught, blamed("the network"):
        torch.equal(MATRIX.to_sparse(), MATRIX.to_sparse())
    said = str(caught.value)
    assert "Could not run 'aten::equal' with arguments from the 'SparseCPU' backend" in said
    assert "registered at" not in said
    assert "could be because" not in said
    assert len(said) < 250
    long = one_line(RuntimeError("a word " * 200))
    assert len(long) <= LONGEST + len("RuntimeError: ")
    assert long.endswith("…")


def test_other_errors_are_quoted_as_they_are() -> None:
    assert one_line(RuntimeError("mat1 and mat2")) == "RuntimeError: mat1 and mat2"
    names = ", ".join(map(str, range(500)))
    assert one_line(ValueError(names)) == f"ValueError: {names}"
