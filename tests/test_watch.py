"""`lab.watch`: any training loop is measured, and nothing of it is changed."""

import copy
import json
import math
import pickle
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from lab import watch
from lab.commands import main as run_command
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.run_dir import RunDir
from lab.experiments import found_table, found_text
from lab.experiments.table import flatten
from lab.models import to_input
from lab.playground.errors import RequestError
from lab.playground.service import Service
from lab.runs.load import open_run
from lab.runs.train import start
from lab.watching import Watcher, sets
from lab.watching.budget import Budget
from lab.watching.sets import MeasuredSet
from lab.watching.settings import new_folder
from lab.watching.sources import Source
from lab.worlds import open_world
from support.loops import Augmented, network, pictures, train
from support.run_folders import assert_hparams_are_final, same_state, scalars

TRAIN, TEST = pictures(40, 0), pictures(30, 1)


def measure(model: nn.Module, **given: Any) -> Watcher:
    """`watch` without pictures, which take half the time of so short a run."""
    return watch(model, pictures=False, **given)


@pytest.mark.parametrize("held", [sets.HELD, 1000], ids=["held", "read again"])
def test_measuring_changes_no_bit_of_the_training(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "HELD", held)
    data, other = Augmented(40, 0), Augmented(40, 0)
    plain = train(None, network(), data)
    watched = train(
        lambda model: watch(
            model, train=other, test=TEST, out=tmp_path / "run", every=1, quiet=True,
            change={"dark": lambda x: x.mul_(0.5)}, pictures=True,
        ),
        network(), other,
    )  # fmt: skip
    assert same_state(plain, watched)
    assert data.own.bit_generator.state == other.own.bit_generator.state
    assert len(RunDir(tmp_path / "run").metrics()) == 13, "before the loop, too"
    assert torch.equal(TEST[0], pictures(30, 1)[0]), "an intervention may write into its batch"


def test_its_figures_are_those_of_the_lab_to_the_last_bit(tmp_path: Path) -> None:
    data = DataConfig(num_train=130, num_test=150, image_size=16, label_noise=0.2)
    config = RunConfig(
        data=data, model=ModelConfig(width=2), train=TrainConfig(steps=3), counterfactuals=0,
        pictures=False, name="lab", out=tmp_path,
    )  # fmt: skip
    folder = start(config).folder
    model = open_run(folder).model
    world = open_world(data, seed=0)
    faces, unseen = world.load("train", 130), world.load("test", 150)
    with measure(
        model, train=(to_input(faces.images), faces.labels),
        test=(to_input(unseen.images), unseen.labels), clean_labels=faces.clean_labels,
        classes=faces.classes, out=tmp_path / "watched", quiet=True,
    ) as watched:  # fmt: skip
        pass
    here, there = (flatten(RunDir(path).summary()) for path in (tmp_path / "watched", folder))
    same = [tag for tag in here if tag.partition("/")[0] not in ("seconds", "answers")]
    same = [tag for tag in same if not tag.startswith("subpopulation_accuracy/")]
    for tag in ("accuracy/test_class_mean", "accuracy/test_roc_auc"):  # of one's own alone
        same.remove(tag)
    assert {tag: here[tag] for tag in same} == {tag: there[tag] for tag in same}
    assert len(same) == 17
    assert not model.training
    assert watched.metrics["accuracy/test"] == there["accuracy/test"]


def test_it_leaves_the_folder_of_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "mine"
    with watch(
        network(), train=TRAIN, test=TEST, out=run, every=2, classes=["left dark", "a/b"],
        settings={"learning_rate": 0.01, "batch_size": 8, "trick": "warm up", "seed": 4},
    ) as watched:  # fmt: skip
        for _ in range(5):
            watched()
    said = capsys.readouterr().out
    assert "watching Sequential (" in said
    assert "with 40 training and 30 test pictures, 2 classes" in said
    assert watched.verdict.split()[0] in said
    assert re.search(r"measured 4 times in 5 steps, [\d.]+ % of the time", said)
    assert "overview?run=mine" in said
    folder = RunDir(run)
    config, provenance = folder.settings()
    assert (config.data.num_train, config.train.learning_rate, config.seed) == (40, 0.01, 4)
    assert provenance.classes == ("left dark", "a_b")
    assert provenance.watched["settings"] == {"trick": "warm up"}
    told = folder.summary()
    assert told["status"] == "finished"
    assert told["verdict"] == watched.verdict
    assert told["step"] == 5
    assert "width" not in json.dumps(told["config"]), "only what is known is told"
    assert [line["step"] for line in folder.metrics()] == [0, 2, 4, 5]
    curves = scalars(run)
    assert [step for step, _ in curves["accuracy/test"]] == [0, 2, 4, 5]
    assert {"loss/train_low", "calibration/ece_test", "memorization/membership_auc"} <= set(curves)
    events = EventAccumulator(str(run))
    events.Reload()
    tags = events.Tags()
    assert {"pictures/train", "pictures/mistakes"} <= set(tags["images"])
    assert {"example_loss/train", "example_loss/test"} <= set(tags["distributions"])
    assert {"verdict/text_summary", "config/text_summary"} <= set(tags["tensors"])
    assert {"_hparams_/session_start_info", "custom_scalars__config__"} <= {
        *events.summary_metadata
    }
    assert (run / "projector" / "points.tsv").is_file()


@pytest.mark.parametrize("restored", [False, True])
def test_hparams_table_shows_the_weights_that_a_loop_ends_with(
    restored: bool, tmp_path: Path
) -> None:
    """Those that it restores after the last step are one more point of each curve."""
    model = network()
    best = copy.deepcopy(model.state_dict())
    with measure(model, train=TRAIN, test=TEST, out=tmp_path, every=1, quiet=True) as watched:
        for _ in range(2):
            with torch.no_grad():
                for each in model.parameters():
                    each.mul_(-3.0)
            watched()
        if restored:
            model.load_state_dict(best)
    lines = RunDir(watched.folder or tmp_path).metrics()
    assert [line["step"] for line in lines] == [0, 1, 2]
    assert lines[0]["loss/test"] != lines[2]["loss/test"]
    assert_hparams_are_final(tmp_path)
    curve = scalars(tmp_path)["loss/test"]
    assert [step for step, _ in curve] == ([0, 1, 2, 3] if restored else [0, 1, 2])
    kept = lines[0 if restored else 2]["loss/test"]
    assert curve[-1][1] == pytest.approx(kept, rel=1e-6)


@pytest.mark.parametrize(
    ("form", "count"),
    [
        (lambda x, y: (x.numpy(), y.numpy()), 40),
        (lambda x, y: TensorDataset(x, y), 40),
        (lambda x, y: DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True), 40),
        (lambda x, y: Subset(TensorDataset(x, y), range(1, 21)), 20),
        (lambda x, y: DataLoader(TensorDataset(x, y), sampler=SubsetRandomSampler(range(9))), 9),
        (lambda x, y: (x, y[:, None].float()), 40),
        (lambda x, y: [{"x": a, "label": int(b)} for a, b in zip(x, y, strict=True)], 40),
        (lambda x, y: ({"x": x}, y), 40),
    ],
)  # fmt: skip
def test_examples_come_in_any_form(form: Any, count: int, tmp_path: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": self.inner(x)}

    watched = measured(Named(), train=form(*TRAIN), test=TEST, out=tmp_path / "run")
    whole = measured(network(), train=TRAIN, test=TEST, out=tmp_path / "other")
    assert watched["accuracy/train"].count == count
    assert watched["loss/test"] == whole["loss/test"]
    if count == 40:
        assert watched["loss/train"] == whole["loss/train"]


def test_large_inputs_are_read_again_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(TensorDataset):
        read = 0

        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            Counted.read += 1
            return super().__getitem__(index)

    data = Counted(*TRAIN)
    kept = measured(network(), train=data, test=TEST)
    once = Counted.read
    monkeypatch.setattr(sets, "HELD", 1000)
    read = measured(network(), train=data, test=TEST)
    assert Counted.read > 2 * once >= 80
    assert read["loss/train"] == kept["loss/train"]


def test_one_logit_is_a_binary_classifier(tmp_path: Path) -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            two: Tensor = self.inner(x)
            return two[:, 1] - two[:, 0]

    one = measured(One(), train=TRAIN, test=TEST, out=tmp_path / "one")
    two = measured(network(), train=TRAIN, test=TEST, out=tmp_path / "two")
    assert one["accuracy/test"] == two["accuracy/test"]
    assert one["loss/test"].value == pytest.approx(two["loss/test"].value, rel=1e-5)
    z = One().eval()(TEST[0]).detach()
    loss = nn.functional.binary_cross_entropy_with_logits(z, TEST[1].float())
    assert one["loss/test"].value == pytest.approx(loss.item(), rel=1e-5)


def test_other_inputs_go_through_a_function_of_the_user(tmp_path: Path) -> None:
    table = TRAIN[0].flatten(1), TRAIN[1]
    unseen = TEST[0].flatten(1), TEST[1]
    found = measured(
        network(), train=table, test=unseen, out=tmp_path / "run",
        forward=lambda model, x: (model(x.view(-1, 1, 8, 8)), "more"),
    )  # fmt: skip
    assert found["loss/test"] == measured(network(), train=TRAIN, test=TEST)["loss/test"]
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert not events.Tags()["images"], "rows of numbers are no pictures"


def test_a_large_set_is_sampled_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for name in ("one", "two"):
        with measure(network(), train=TRAIN, test=TEST, out=tmp_path / name, most=20) as watched:
            pass
        found.append(watched.metrics["loss/train"])
    said = capsys.readouterr().out
    assert "20 of 40 training and 20 of 30 test pictures (fixed random samples)" in said
    assert "20 pictures picked at random from the 40 it studied" in " ".join(said.split())
    assert found[0] == found[1], "the same sample each time"
    assert RunDir(tmp_path / "one").settings()[1].watched["train_measured"] == 20


def test_random_augmentation_is_told_and_can_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with measure(network(), train=Augmented(40, 0), test=TEST, out=tmp_path / "random"):
        pass
    assert "train gives other inputs each time" in capsys.readouterr().out
    exact = measured(network(), train=TRAIN, test=TEST)
    for name, clean in (("transform", lambda x: x), ("dataset", TensorDataset(*TRAIN))):
        found = measured(
            network(), train=Augmented(40, 0), test=TEST, clean=clean, out=tmp_path / name
        )
        assert found["loss/train"] == exact["loss/train"]
    subset = Subset(Augmented(40, 0), range(40))
    found = measured(network(), train=subset, test=TEST, clean=lambda x: x)
    assert found["loss/train"] == exact["loss/train"]
    assert "other inputs" not in capsys.readouterr().out


def test_groups_wrong_labels_and_own_changes_are_measured(tmp_path: Path) -> None:
    class Left(nn.Module):
        """Reads the left half alone: its mean, and nothing else."""

        def forward(self, x: Tensor) -> Tensor:
            return x[:, 0, :, :4].mean(dim=(1, 2)) - 0.35

    wrong = TRAIN[1].clone()
    wrong[:10] = 1 - wrong[:10]
    place = np.array(["in", "out"])[np.arange(30) // 15]
    with measure(
        Left(), train=(TRAIN[0], wrong), test=TEST, clean_labels=TRAIN[1].numpy(),
        groups={"place": place}, out=tmp_path / "run", quiet=True,
        change={
            "same": lambda x: x, "right half": lambda x: torch.cat([x[..., :4], -x[..., 4:]], -1),
            "mirrored": lambda x: x.flip(-1), "negative": lambda x: 0.7 - x,
        },
    ) as watched:  # fmt: skip
        pass
    found = watched.metrics
    predicted = (TRAIN[0][:, 0, :, :4].mean(dim=(1, 2)) > 0.35).long()
    fitted, seen = (found[f"memorization/mislabeled_{name}"] for name in ("fitted", "true_label"))
    assert fitted.count == seen.count == 10
    assert fitted.value == (predicted == wrong)[:10].float().mean()
    assert seen.value == 1 - fitted.value
    right = (TEST[0][:, 0, :, :4].mean(dim=(1, 2)) > 0.35) == TEST[1]
    for label in (0, 1):
        for name in ("in", "out"):
            members = torch.from_numpy(place == name) & (TEST[1] == label)
            share = found[f"group_accuracy/{label},place={name}"]
            assert (share.value, share.count) == (right[members].double().mean(), members.sum())
    groups = [each.value for tag, each in found.items() if tag.startswith("group_accuracy/")]
    assert len(groups) == 4
    assert found["accuracy/worst_group"].value == min(groups)
    assert found["reliance/same"].value == found["reliance/right_half"].value == 0
    assert found["reliance/negative"].value == 1
    assert 0 < found["reliance/mirrored"].low < found["reliance/mirrored"].value
    assert "negative in 100 %" in watched.verdict
    assert "It should not" not in watched.verdict, "what they should change is not known"
    texts = EventAccumulator(str(tmp_path / "run"))
    texts.Reload()
    assert "group_accuracies/text_summary" in texts.Tags()["tensors"]


def test_a_loop_that_fails_is_written_down_and_its_error_goes_on(tmp_path: Path) -> None:
    cases: list[tuple[type[BaseException], str, str]] = [
        (ZeroDivisionError, "failed", "Its loop failed after step 3: ZeroDivisionError: by zero"),
        (KeyboardInterrupt, "stopped", "It was stopped by SIGINT after step 3."),
        (SystemExit, "stopped", "It was ended by SystemExit after step 3."),
    ]
    for kind, status, text in cases:
        run = tmp_path / kind.__name__
        watched = watch(network(), train=TRAIN, test=TEST, out=run, every=2, quiet=True)
        with pytest.raises(kind, match="by zero"):
            loop_that_ends(watched, kind("by zero"))
        told = RunDir(run).summary()
        older = " The figures are those of step 2, which was measured last."
        full = f"{text.removesuffix('.')}.{older}"
        assert (told["status"], told["verdict"], told["step"]) == (status, full, 3)
        assert told["accuracy"]["test"]["count"] == 30, "the last figures are kept"
        assert told["weights_of_step"] == 2
        (line,) = [each for each in RunDir(run).metrics() if each["step"] == 2]
        assert told["accuracy"]["test"]["value"] == line["accuracy/test"]
        assert watched.verdict == full
        with RunDir(run).lock():
            pass  # it is free


def loop_that_ends(watched: Watcher, error: BaseException) -> None:
    """A loop that raises an error after its third step."""
    with watched:
        for step in range(9):
            watched(step)
            if step == 2:
                raise error


def test_a_network_that_fails_when_it_is_measured_fails_with_a_reason(tmp_path: Path) -> None:
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.broken = network(), False

        def forward(self, x: Tensor) -> Tensor:
            assert not self.broken, "out of order"
            return self.inner(x)  # type: ignore[no-any-return]

    model = Breaks()
    watched = measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True)
    watched.open()
    watched(0)
    model.broken = True
    with pytest.raises(ValueError, match="out of order"):
        watched.close()
    told = RunDir(tmp_path / "run").summary()
    assert told["status"] == "failed"
    assert "out of order" in told["verdict"]


def test_settings_of_torch_have_no_say(tmp_path: Path) -> None:
    plain = measured(network(), train=TRAIN, test=TEST)
    model = network()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            found = measured(model, train=TRAIN, test=TEST, out=tmp_path / "run")
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(before)
    assert found["loss/test"] == plain["loss/test"]


def test_many_classes_and_broken_networks_are_told(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 300))
    many = measured(model, train=TRAIN, test=TEST, out=tmp_path / "many")
    assert not [tag for tag in many if tag.startswith("subpopulation_accuracy")]
    assert RunDir(tmp_path / "many").settings()[1].classes[-1] == "299"
    model[1].weight.data[:] = math.nan
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "nan", quiet=True) as watched:
        pass
    assert watched.verdict == "It broke: its losses are not finite. Try a smaller learning rate."


def test_steps_that_begin_anew_are_counted_on(tmp_path: Path) -> None:
    with measure(
        network(), train=TRAIN, test=TEST, out=tmp_path / "run", every=1, quiet=True
    ) as watched:
        for _ in range(2):
            for step in range(3):
                watched(step)
    assert [line["step"] for line in RunDir(tmp_path / "run").metrics()] == list(range(7))


def test_step_0_is_the_network_before_the_loop_and_a_step_is_one_that_was_made(
    tmp_path: Path,
) -> None:
    model = network()
    untrained = measured(model, train=TRAIN, test=TEST)["loss/test"]
    with measure(
        model, train=TRAIN, test=TEST, out=tmp_path / "run", every=1, quiet=True
    ) as watched:
        assert watched.metrics["loss/test"] == untrained
        trained_for(1, watched, model)
        after = measured(model, train=TRAIN, test=TEST)["loss/test"]
        assert watched.metrics["loss/test"] == after != untrained
    first, last = RunDir(tmp_path / "run").metrics()
    assert [line["step"] for line in (first, last)] == [0, 1]
    assert (first["loss/test"], last["loss/test"]) == (untrained.value, after.value)


def test_wrapped_and_moved_networks_are_measured_whole(tmp_path: Path) -> None:
    plain = measured(network(), train=TRAIN, test=TEST)
    compiled = network()
    compiled.compile()
    for name, model in (
        ("parallel", nn.DataParallel(network())),
        ("compiled", torch.compile(network())),
        ("compiled in place", compiled),
        ("compiled, parallel", torch.compile(nn.DataParallel(network()))),
    ):
        assert measured(model, train=TRAIN, test=TEST)["loss/test"] == plain["loss/test"], name
    assert vars(compiled)["_compiled_call_impl"] is not None
    moved = network()
    with measure(moved, train=TRAIN, test=TEST, out=tmp_path / "moved", quiet=True) as watched:
        moved.double()
    assert watched.metrics["loss/test"].value == pytest.approx(plain["loss/test"].value, rel=1e-5)


def test_one_process_of_a_distributed_program_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        model = nn.parallel.DistributedDataParallel(network())
        found = measured(model, train=TRAIN, test=TEST)
        assert found["loss/test"] == measured(network(), train=TRAIN, test=TEST)["loss/test"]
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
        with measure(model, train=TRAIN, test=TEST, out=tmp_path / "second") as watched:
            watched(0)
            watched.warn("said by process 0")
        assert watched.verdict.startswith("Process 1 does not measure")
        assert not (tmp_path / "second").exists()
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("kind", ["meta", "zero", "fsdp"])
def test_networks_in_pieces_are_refused_with_a_reason(kind: str) -> None:
    model = network()
    if kind == "meta":
        model = model.to("meta")
    elif kind == "zero":
        model[0].weight.ds_id = 3  # as DeepSpeed marks them
    else:
        model = type("FullyShardedDataParallel", (nn.Sequential,), {})(*model)
    with pytest.raises(ValueError, match="watch a copy with whole weights"):
        measure(model, train=TRAIN, test=TEST)


def test_weights_that_a_network_writes_to_in_eval_mode_are_put_back(tmp_path: Path) -> None:
    class Writes(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            self.weight.data += 1  # as layers that initialize themselves at their first input
            return super().forward(x.flatten(1))

    model = Writes(64, 2)
    before = model.weight.detach().clone()
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True) as watched:
        watched(0)
        assert watched.times > 0
        assert torch.equal(model.weight, before)
    assert torch.equal(model.weight, before)


def test_lazy_networks_get_their_weights_in_the_loop(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True) as watched:
        assert isinstance(model[1], nn.LazyLinear)
        model(TRAIN[0])
        watched(0)
    assert watched.metrics["accuracy/test"].count == 30


class Endless(IterableDataset[Any]):
    """Examples without numbers."""

    def __iter__(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": Endless()}, "train is an iterable dataset, whose examples have no numbers"),
        ({"test": 3}, "test must be a map-style dataset, a DataLoader, or"),
        ({"train": (TRAIN[0], TRAIN[1][:5])}, "train: 5 and 40 examples"),
        ({"train": [(*each, 0) for each in zip(*TRAIN, strict=True)]},
         "3 parts; each must be (input, label): give one of pairs, such as [item[:2] for item in"),
        ({"test": (TEST[0], TEST[1] + 0.5)}, "test: labels must be whole numbers from 0, not "),
        ({"train": (TRAIN[0], TRAIN[1].where(TRAIN[1] > 0, torch.tensor(-100)))},
         "not -100; leave examples without a label out"),
        ({"test": (TEST[0], TEST[1] + 7)}, "there is a label 8, and the model tells 2 classes"),
        ({"classes": ["a", "b", "c"]}, "classes names 3 different classes, and the model has 2"),
        ({"clean": lambda x: x}, "no attribute 'transform'"),
        ({"clean": 3}, "clean must be a dataset or a transform, not 3"),
        ({"clean_labels": [0, 1]}, "clean_labels needs a value for each of the 40 examples"),
        ({"groups": {"place": [1]}}, "place needs a value for each of the 30 examples of test"),
        ({"again": "newer"}, "did you mean 'new'"),
        ({"share": 0}, "share must be above 0 to 1, not 0"),
        ({"every": 0}, "every must be a whole number from 1 on, not 0"),
        ({"most": 1}, "most must be a whole number from 2 on, not 1"),
        ({"settings": {"seed": -1}}, "settings: --seed must be 0 to"),
        ({"settings": {"x": [1]}}, "settings: x must be a text, a number or a truth value"),
        ({"change": {"cut": lambda x: x[:, :, :2]}}, "change 'cut': "),
        ({"change": {"cut": lambda x: None}}, "it must return the changed inputs"),
        ({"change": {"a/b": abs, "a_b": abs}}, "change: 'a/b' and 'a_b' would be one name"),
        ({"groups": {"place": {0: 1, 1: 2}}}, "place must be a sequence of values in the order"),
        ({"forward": lambda model, x: model(x)[:1]}, "not (N, classes) logits"),
        ({"forward": lambda model, x: "two"}, "the model returns a str, not logits"),
        ({"forward": lambda model, x: model(x)[:, 0].tanh() / 2 + 0.5}, "say whether these are"),
        ({"forward": lambda model, x: nn.functional.logsigmoid(model(x))}, "logarithms of"),
        ({"outputs": "probabilities"}, "outputs='probabilities', and the model returns "),
        ({"outputs": "logit"}, "unknown kind of output 'logit'; did you mean 'logits'?"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"train": TRAIN, "test": TEST, "out": tmp_path / "run", **changes}
    with pytest.raises(ValueError, match=re.escape(message)) as caught, measure(network(), **given):
        pass
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists(), "nothing half-written"


def test_a_folder_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(network(), train=TRAIN, test=TEST, out=tmp_path / "run")
    before = (tmp_path / "run" / "summary.json").read_bytes()
    with pytest.raises(ValueError, match=r"holds another run: .* again='new' .*run-2, then"):
        measured(network(), train=TRAIN, test=TEST, out=tmp_path / "run")
    assert (tmp_path / "run" / "summary.json").read_bytes() == before
    for number in (2, 3):
        with measure(
            network(), train=TRAIN, test=TEST, out=tmp_path / "run", again="new", quiet=True
        ) as watched:
            pass
        assert watched.folder == tmp_path / f"run-{number}"
    assert (tmp_path / "run" / "summary.json").read_bytes() == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists already, and is not empty"):
        measured(network(), train=TRAIN, test=TEST, out=tmp_path / "notes")
    monkeypatch.chdir(tmp_path)
    for name in ("Sequential-40", "Sequential-40-2"):
        with measure(network(), train=TRAIN, test=TEST, quiet=True) as watched:
            pass
        assert watched.folder == tmp_path / "runs" / name


@pytest.mark.parametrize("empty", [False, True], ids=["none", "empty"])
def test_no_two_that_want_a_new_folder_get_the_same(tmp_path: Path, empty: bool) -> None:
    """Nor do they where it is there and empty, as it is when another has just made it."""
    if empty:
        for name in ("run", "run-2"):
            (tmp_path / name).mkdir()
    together, wanting = threading.Barrier(16), [tmp_path / "run"] * 16

    def want(out: Path) -> Path:
        together.wait()
        return new_folder(out, "net", 9, again="new").path

    with ThreadPoolExecutor(16) as threads:
        got = set(threads.map(want, wanting))
    assert got == {tmp_path / name for name in ("run", *(f"run-{k}" for k in range(2, 17)))}
    with pytest.raises(ValueError, match="exists already, and is not empty"):
        new_folder(tmp_path / "run", "net", 9)


def test_nothing_opens_such_a_run_and_all_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(network(), train=TRAIN, test=TEST, out=tmp_path / "mine")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    run = str(tmp_path / "mine")
    for words in (
        ["train", "--resume", run], ["evaluate", run], ["predict", run, str(tmp_path / "a.png")]
    ):  # fmt: skip
        assert run_command(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"error: {run} was watched while another program trained it (lab.watch)" in said
    listed = Service(str(tmp_path)).ask("runs", {})["runs"]
    assert [(each["name"], each["kind"]) for each in listed] == [("mine", "foreign")]
    assert "another program trained it" in listed[0]["trouble"]
    with pytest.raises(RequestError, match="another program trained it"):
        Service(str(tmp_path)).ask("parts", {"run": ["mine"], "face": []})


def test_a_step_has_one_point_unless_its_figures_are_others(tmp_path: Path) -> None:
    """As where `measure()` is called in a loop that is measured every so many steps, too."""
    model = network()
    with measure(model, train=TRAIN, test=TEST, out=tmp_path, every=1, quiet=True) as watched:
        watched()
        watched.measure()
        for weight in model.parameters():
            weight.data.zero_()
        watched.measure()
    assert [row["step"] for row in RunDir(tmp_path).metrics()] == [0, 1, 1]


def test_many_runs_make_a_table(tmp_path: Path) -> None:
    for rate in (0.1, 0.2):
        for seed in (0, 1):
            measured(
                network(), train=TRAIN, test=TEST, out=tmp_path / f"{rate}-{seed}",
                settings={"learning_rate": rate, "seed": seed, "trick": "none"},
            )  # fmt: skip
    broken = measure(network(), train=TRAIN, test=TEST, out=tmp_path / "broken", quiet=True)
    with pytest.raises(KeyError):
        loop_that_ends(broken, KeyError("x"))
    table = found_table(tmp_path)
    assert dict(table.grid) == {"learning_rate": (0.1, 0.2)}
    assert [cell.seeds for cell in table.cells] == [(0, 1), (0, 1)]
    whole = measured(network(), train=TRAIN, test=TEST)
    assert table.cell(learning_rate=0.2).mean("loss/test").value == whole["loss/test"].value
    assert [failure.folder.name for failure in table.failed] == ["broken"]
    text = found_text(table)
    assert "| 0.1 | 2 |" in text
    assert text.endswith("\n\nLeft out: 1 run that has not come to an end: broken.")
    assert "test accuracy" in text


def test_settings_of_which_nothing_is_known_have_no_value_in_a_table(tmp_path: Path) -> None:
    """Two runs of which the user told something else each: not the lab's own defaults."""
    told = [{"learning_rate": 0.5, "steps": 10}, {"learning_rate": 0.5, "steps": 20}, {}]
    for number, settings in enumerate(told):
        measured(network(), train=TRAIN, test=TEST, out=tmp_path / str(number), settings=settings)
    table = found_table(tmp_path)
    assert dict(table.grid) == {"steps": (10, 20, None), "learning_rate": (0.5, None)}
    assert [len(cell.seeds) for cell in table.cells] == [1, 1, 1]
    assert "0.002" not in found_text(table)


def test_outside_of_its_block_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="use it inside `with watch"):
        measure(network(), train=TRAIN, test=TEST)(0)


def test_the_budget_is_kept_and_densest_early() -> None:
    now = 0.0

    def measured_at(budget: Budget, steps: int, cost: float) -> list[int]:
        nonlocal now
        found = []
        for step in range(steps):
            now += 0.01
            if budget.due(step):
                with budget.measuring(step), budget.spending("measuring"):
                    now += cost
                found.append(step)
        return found

    unknown = Budget(0.05, None, clock=lambda: now)
    found = measured_at(unknown, 100_000, 0.2)
    assert unknown.taken <= 0.05
    assert found[0] == 0
    assert sum(step < 10_000 for step in found) > 0.3 * len(found) > 10
    assert np.diff(found)[-1] > 3 * np.diff(found)[1]

    known = Budget(0.05, None, 10_000, clock=lambda: now)
    found = measured_at(known, 10_000, 0.2)
    assert 0.03 <= known.taken <= 0.05
    assert sum(step < 1000 for step in found) > 0.5 * len(found) > 10

    costly = Budget(0.05, None, clock=lambda: now)
    assert measured_at(costly, 10_000, 6.0) == [0], "one is left for the end"

    slow_start = Budget(0.05, None, 10_000, clock=lambda: now)
    now += 20.0  # the first batch: workers start, a network is compiled
    assert len(measured_at(slow_start, 10_000, 0.2)) > 10
    assert slow_start.taken <= 0.05

    often = Budget(0.05, 30, clock=lambda: now)
    assert measured_at(often, 100, 5.0) == [0, 30, 60, 90]

    cheap = Budget(1.0, None, 5, clock=lambda: now)
    assert measured_at(cheap, 7, 0.0) == [0, 1, 2, 3, 4, 6], "the last one is made by the end"


@pytest.mark.parametrize("steps", [3000, 5000, 10_000])
@pytest.mark.parametrize("known", [True, False])
def test_the_budget_holds_what_opening_and_closing_take(steps: int, known: bool) -> None:
    """The times that they take with 3,000 small pictures: beside the measurements 0.17 seconds at
    the start, 0.075 where pictures are shown, and at the end 0.3 for these and the projector."""
    now = 0.0
    budget = Budget(0.05, None, steps if known else None, clock=lambda: now)
    with budget.spending("starting"):
        now += 0.17
    for step in range(steps + 1):
        now += 0.014 if step else 0.0
        if budget.due(step):
            with budget.measuring(step), budget.spending("measuring"):
                now += 0.2
            if budget.measured in (8, 32):
                with budget.spending("logging"), budget.showing():
                    now += 0.075
    with budget.spending("logging"):
        now += 0.2 + 0.3
    assert budget.measured > 5
    assert budget.taken <= 0.05


def test_importing_the_lab_needs_no_torch() -> None:
    """What it costs to import `watch` from it is paid by those who ask for that."""
    code = "import lab, sys; assert 'watch' in lab.__all__; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert watch.__module__.startswith("lab.watching")


def measured(model: nn.Module, out: Path | None = None, **given: Any) -> Any:
    """The final figures of a network that is not trained."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = out or Path(folder) / "run"
        with measure(model, out=place, quiet=True, **given) as watched:
            pass
    return watched.metrics


class Named(TensorDataset):
    """Examples that know the names of their classes."""

    def __init__(self, classes: list[str], *tensors: Tensor) -> None:
        super().__init__(*tensors)
        self.classes = classes


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))


def weighted(few: list[int], count: int) -> WeightedRandomSampler:
    """A sampler that draws only those of `count` examples."""
    return WeightedRandomSampler([float(i in few) * (1 + i) for i in range(count)], 50)


@pytest.mark.parametrize(
    "loader",
    [
        lambda whole, few: DataLoader(whole, sampler=few),
        lambda whole, few: DataLoader(whole, sampler=torch.tensor(few)),  # type: ignore[arg-type]
        lambda whole, few: DataLoader(
            whole, batch_sampler=BatchSampler(SubsetRandomSampler(few), 4, False)
        ),
        lambda whole, few: DataLoader(whole, sampler=weighted(few, len(whole))),
        lambda whole, few: DataLoader(
            Subset(whole, [*few, 0, 1]), sampler=SequentialSampler(range(len(few)))
        ),
        lambda whole, few: DataLoader(Subset(whole, [*few, 0]), batch_size=7, drop_last=True),
        lambda whole, few: DataLoader(whole, 7, sampler=[*few, 0, 1], drop_last=True),
        lambda whole, few: DataLoader(whole, batch_sampler=[few[:3], few[3:], few[:2]]),
        lambda whole, few: DataLoader(whole, batch_sampler=(few[:4], few[4:])),  # type: ignore[arg-type]
    ],
)
def test_the_part_of_a_set_that_a_loader_takes_is_measured(loader: Any, tmp_path: Path) -> None:
    whole, few = TensorDataset(*TRAIN), [3, 5, 8, 9, 20, 21, 30]
    with measure(
        linear(), train=loader(whole, few), test=TEST, out=tmp_path / "run", quiet=True
    ) as watched:
        watched(0)
    assert watched.metrics["accuracy/train"].count == len(few)
    with measure(
        linear(), train=(TRAIN[0][few], TRAIN[1][few]), test=TEST, out=tmp_path / "b", quiet=True
    ) as same:
        same(0)
    assert same.metrics["loss/train"] == watched.metrics["loss/train"]


def test_columns_are_in_the_order_of_the_sampler() -> None:
    few = [30, 3, 21, 8, 5, 20, 9, 12]
    labels, truth = TRAIN[1][few], torch.tensor([0, 1] * 4)
    loader = DataLoader(TensorDataset(*TRAIN), sampler=SubsetRandomSampler(few))
    found = measured(linear(), train=loader, test=TEST, clean_labels=truth)
    same = measured(linear(), train=(TRAIN[0][few], labels), test=TEST, clean_labels=truth)
    wrong = "memorization/mislabeled_fitted"
    assert found[wrong] == same[wrong]
    assert found[wrong].count == int((labels != truth).sum())


def test_columns_with_an_index_of_their_own_are_read_in_their_order() -> None:
    class Column(list[Any]):
        """Like a column of pandas in another order: [i] is the value with the index i."""

        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(len(self) - 1 - index)

    place, wrong = [*["in"] * 10, *["out"] * 20], "memorization/mislabeled_fitted"
    truth = [*(1 - TRAIN[1][:5]).tolist(), *TRAIN[1][5:].tolist()]
    found, plain = (
        measured(
            linear(),
            train=TRAIN,
            test=TEST,
            groups={"place": kind(place)},
            clean_labels=kind(truth),
        )
        for kind in (Column, list)
    )
    assert {tag for tag in plain if tag.startswith("group_accuracy")}
    assert all(found[tag] == plain[tag] for tag in plain if tag.startswith(("group_acc", wrong)))


@pytest.mark.parametrize(
    ("train", "clean", "message"),
    [
        (Augmented(40, 0), TensorDataset(TRAIN[0], 1 - TRAIN[1]), "other labels than train"),
        (
            Subset(TensorDataset(*TRAIN), range(20)),
            Subset(TensorDataset(*TRAIN), range(20, 40)),
            "other examples of its dataset than train",
        ),
        (Augmented(40, 0), TensorDataset(*TEST), "clean has 30 examples, train 40"),
    ],
)
def test_a_clean_set_of_other_examples_is_refused(train: Any, clean: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}.*the same ones in the same order"):
        measured(linear(), train=train, test=TEST, clean=clean)


@pytest.mark.parametrize(
    ("collate", "message"),
    [
        (lambda items: sorted(items, key=lambda item: -float(item[0].sum())), "another order"),
        (
            lambda items: [item for item in items if item[0].sum() > 0],
            "makes 27 rows of 32 examples",
        ),
    ],
)
def test_a_collate_function_that_loses_or_moves_examples_is_refused(
    collate: Callable[[list[Any]], list[Any]], message: str
) -> None:
    loader = DataLoader(
        TensorDataset(*TRAIN), collate_fn=lambda items: default_collate(collate(items))
    )
    with pytest.raises(ValueError, match=f"train: its collate function .*{message}"):
        measured(linear(), train=loader, test=TEST)


def test_a_sampler_of_unknown_examples_and_other_classes_are_refused(tmp_path: Path) -> None:
    class Odd(Sampler[int]):
        def __iter__(self) -> Any:
            return iter((1, 2))

    whole = TensorDataset(*TRAIN)
    with pytest.raises(ValueError, match=r"train is a loader whose Odd may take a part"):
        measure(
            linear(), train=DataLoader(whole, sampler=Odd()), test=TEST, out=tmp_path / "r"
        ).open()
    train, test = Named(["ant", "bee"], *TRAIN), Named(["ant", "cow"], *TEST)
    with pytest.raises(ValueError, match=r"train has the classes ant, bee, and test ant, cow"):
        measure(linear(), train=train, test=test, out=tmp_path / "r").open()
    assert list(tmp_path.iterdir()) == []


class Ends(nn.Module):
    """One or two linear outputs, and what comes after them."""

    def __init__(self, columns: int, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.after = nn.Linear(64, columns), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(x.flatten(1)))


def as_is(z: Tensor) -> Tensor:
    return z


@pytest.mark.parametrize(
    ("columns", "after", "outputs"),
    [
        (1, torch.sigmoid, None),
        (1, lambda z: torch.sigmoid(z).squeeze(1).double(), None),
        (1, lambda z: 1 / (1 + (-z).exp()), "probabilities"),
        (2, lambda z: z.softmax(1), None),
        (2, lambda z: torch.sigmoid(z), None),
        (2, lambda z: z.detach().exp() / z.detach().exp().sum(1, keepdim=True), None),
    ],
)
def test_of_probabilities_the_log_odds_are_measured(
    columns: int, after: Any, outputs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = measured(Ends(columns, as_is), train=TRAIN, test=TEST)
    found = measured(Ends(columns, after), train=TRAIN, test=TEST, outputs=outputs)
    for tag in ("accuracy/test", "accuracy/train"):
        assert found[tag] == plain[tag]
    for tag in ("loss/test", "calibration/ece_test", "memorization/membership_auc"):
        assert found[tag].value == pytest.approx(plain[tag].value, rel=1e-4), tag


def through_autocast(z: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return (z @ torch.eye(z.shape[1])).softmax(1)


def by_hand(z: Tensor) -> Tensor:
    e = z.detach().bfloat16().exp()
    return e / e.sum(1, keepdim=True)


ROUNDED = {
    "bfloat16": lambda z: z.bfloat16().softmax(1),
    "bfloat16 as float32": lambda z: z.bfloat16().softmax(1).float(),
    "float16 by hand": lambda z: by_hand(z).half(),
    "bfloat16 by hand": by_hand,
    "autocast": through_autocast,
    "8 bits": lambda z: (z.softmax(1) * 256).round() / 256,
    "2 decimals": lambda z: z.softmax(1).round(decimals=2),
}


@pytest.mark.parametrize("outputs", [None, "probabilities"])
@pytest.mark.parametrize("after", ROUNDED.values(), ids=ROUNDED)
def test_rounded_probabilities_of_all_classes_are_those_of_a_softmax(
    after: Any, outputs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Ends(5, after)
    model.inner.weight.data *= 3
    found = measured(model, train=TRAIN, test=TEST, outputs=outputs)
    p = model(TEST[0]).detach().double()
    assert (p.sum(1) - 1).abs().max() > 1e-3, "else the case shows nothing"
    loss = nn.functional.nll_loss(p.clamp(1e-7).log().log_softmax(1), TEST[1])
    assert found["loss/test"].value == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("outputs", [None, "probabilities"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_sigmoids_that_happen_to_sum_to_1_are_those_of_each_class(
    kind: Any, outputs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Ends(2, lambda z: torch.sigmoid(torch.stack([z[:, 0], -z[:, 0]], 1).to(kind)))
    found = measured(model, train=TRAIN, test=TEST, outputs=outputs)
    p = model(TEST[0]).detach().double()
    loss = nn.functional.cross_entropy(p.logit(), TEST[1])
    assert found["loss/test"].value == pytest.approx(loss.item(), rel=1e-4)


def test_probabilities_are_told_and_taken_for_logits_where_the_user_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Ends(1, torch.sigmoid)
    p = model(TEST[0]).detach()[:, 0]
    for outputs, told in ((None, 1), ("probabilities", 0), ("logits", 0)):
        with measure(
            model, train=TRAIN, test=TEST, out=tmp_path / str(outputs), outputs=outputs
        ) as watched:
            pass
        assert capsys.readouterr().out.count("the model returns probabilities") == told
        loss = nn.functional.binary_cross_entropy(p, TEST[1].float())
        if outputs == "logits":
            loss = nn.functional.binary_cross_entropy_with_logits(p, TEST[1].float())
        assert watched.metrics["loss/test"].value == pytest.approx(loss.item(), rel=1e-5)
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(1), nn.Sigmoid())
    with measure(lazy, train=TRAIN, test=TEST, out=tmp_path / "lazy") as watched:
        lazy(TRAIN[0])
        watched(0)
    loss = nn.functional.binary_cross_entropy(lazy(TEST[0])[:, 0], TEST[1].float())
    assert watched.metrics["loss/test"].value == pytest.approx(loss.item(), rel=1e-5)
    assert capsys.readouterr().out.count("the model returns probabilities") == 1


def test_logits_that_happen_to_lie_between_0_and_1_are_logits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Ends(1, lambda z: z[:, 0])
    model.inner.weight.data *= 0.01
    model.inner.bias.data[:] = 0.5
    found = measured(model, train=TRAIN, test=TEST)
    loss = nn.functional.binary_cross_entropy_with_logits(model(TEST[0]).detach(), TEST[1].float())
    assert found["loss/test"].value == pytest.approx(loss.item(), rel=1e-5)


def test_examples_in_both_sets_are_told_with_their_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = tuple(torch.cat([a, b[:7]]) for a, b in zip(TEST, TRAIN, strict=True))
    whole = TensorDataset(*TRAIN)
    halves = Subset(whole, range(25)), Subset(Subset(whole, range(10, 40)), range(5, 30))
    same = Named(["a", "b"], *TRAIN)
    for name, (train_set, test_set), count, of in (
        ("tensors", (TRAIN, both), 7, 37),
        ("subsets", halves, 10, 25),
        ("augmented", (Augmented(40, 0), TEST), 0, 30),
        ("same", (same, same), 40, 40),
        ("apart", (TRAIN, TEST), 0, 30),
    ):  # fmt: skip
        with measure(linear(), train=train_set, test=test_set, out=tmp_path / name) as watched:
            pass
        said = capsys.readouterr().out
        told = f"test and train share examples, {count} of the {of} of test"
        assert (told in said) == bool(count), name
        assert ("share examples" in said) == bool(count), name
        assert (f"Of the {of} test" in watched.verdict) == bool(count)
        assert ("has never seen" in watched.verdict) == (not count)
    own = Augmented(40, 0)
    with measure(linear(), train=own, test=own, out=tmp_path / "own", most=20):
        pass
    assert "at least 20 of the 20 of test" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [1, 2])
def test_one_example_may_be_squeezed(columns: int, tmp_path: Path) -> None:
    model = Ends(columns, lambda z: z.squeeze())
    odd = TRAIN[0][:1].repeat(101, 1, 1, 1), TRAIN[1][:1].repeat(101)
    with measure(model, train=TRAIN, test=odd, out=tmp_path / "run", quiet=True) as watched:
        watched(0)
    same = measured(Ends(columns, as_is), train=TRAIN, test=odd)
    assert watched.metrics["loss/test"] == same["loss/test"]


def test_a_network_that_takes_no_single_example_is_refused_at_the_start(tmp_path: Path) -> None:
    def standardized(z: Tensor) -> Tensor:
        assert len(z) > 1, "needs a batch"
        return z

    with pytest.raises(ValueError, match=r"about one example alone: .*needs a batch"):
        measure(Ends(2, standardized), train=TRAIN, test=TEST, out=tmp_path / "run").open()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "form",
    [
        lambda x, words: list(zip(x, words, strict=True)),
        lambda x, words: (x, words),
        lambda x, words: (x, np.array(words)),
        lambda x, words: (x, np.array(words, dtype=object)),
    ],
)
def test_labels_may_be_the_names_of_the_classes(form: Any) -> None:
    words = [("dog", "cat")[label] for label in TRAIN[1].tolist()]
    plain = measured(network(), train=TRAIN, test=TEST)
    given = {"train": form(TRAIN[0], words), "test": TEST}
    found = measured(network(), **given, classes=["dog", "cat"], clean_labels=words)
    assert found["loss/train"] == plain["loss/train"]
    with pytest.raises(ValueError, match="labels are texts such as 'dog': give classes="):
        measured(network(), **given)
    with pytest.raises(ValueError, match="unknown class 'dog'; did you mean 'dogs'"):
        measured(network(), **given, classes=["dogs", "cat"])


def test_one_hot_labels_are_read_and_soft_ones_refused() -> None:
    plain = measured(network(), train=TRAIN, test=TEST)
    hot = nn.functional.one_hot(TRAIN[1], 2).float()
    for labels in (hot, TRAIN[1].tolist()):
        found = measured(network(), train=(TRAIN[0], labels), test=TEST)
        assert found["loss/train"] == plain["loss/train"]
    with pytest.raises(ValueError, match=r"not \(N, 2\); of soft labels give .* labels.argmax"):
        measured(network(), train=(TRAIN[0], 0.9 * hot + 0.05), test=TEST)
    with pytest.raises(ValueError, match=r"not \(N, 2\); several classes at once are not meas"):
        measured(network(), train=(TRAIN[0], torch.ones_like(hot)), test=TEST)


def test_pairs_with_the_label_first_are_refused_by_that_name() -> None:
    """In tensors and in a dataset, and also if the input is no single tensor."""
    labels, words = TRAIN[1], torch.arange(40 * 5).view(40, 5)
    items = list(zip(labels, words, strict=True))
    two = list(zip(labels, zip(words, words, strict=True), strict=True))
    for given in ((labels, words), items, two):
        with pytest.raises(
            ValueError, match=r"labels must be .*turn the pairs round, \(input, lab"
        ):
            measured(network(), train=given, test=TEST)


def test_inputs_that_are_concatenated_are_refused_by_that_name() -> None:
    def collate(items: list[Any]) -> Any:
        texts, labels = zip(*items, strict=True)
        starts = torch.tensor([0, *map(len, texts[:-1])]).cumsum(0)
        return (torch.cat(texts), starts), torch.stack(labels)

    texts = [torch.arange(3 + k % 4) for k in range(40)]
    loader = DataLoader(list(zip(texts, TRAIN[1], strict=True)), collate_fn=collate)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"rows of 32 examples.*are concatenated.*pad them"):
        measured(network(), train=loader, test=TEST)


def test_values_of_groups_that_would_be_one_are_refused() -> None:
    for one, other in (("in/out", "in out"), ("in", "in "), ("a_b", "a b")):
        place = [one, other] * 15
        with pytest.raises(ValueError, match=r"groups: place: .* would be one name") as caught:
            measured(network(), train=TRAIN, test=TEST, groups={"place": place})
        assert repr(one) in str(caught.value)
        assert repr(other) in str(caught.value)


def test_names_in_another_order_than_the_datasets_own_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Pets(TensorDataset):
        classes = ("cat", "dog")

    for names in (["cat", "dog"], ["dog", "cat"], ["Hund", "Katze"]):
        with measure(
            network(), train=Pets(*TRAIN), test=TEST, classes=names, out=tmp_path / names[0]
        ):
            pass
        said = capsys.readouterr().out
        assert ("cat, dog, in another order" in " ".join(said.split())) == (names[0] == "dog")


@pytest.mark.parametrize("factor", [1, 10])
def test_a_test_set_of_another_scale_is_told(
    factor: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    test = factor * TEST[0], TEST[1]
    with measure(network(), train=TRAIN, test=test, out=tmp_path / "run") as watched:
        pass
    said = " ".join(capsys.readouterr().out.split())
    assert ("the inputs of test go from" in said) == (factor == 10)
    assert ("The inputs of its test pictures are of another scale" in watched.verdict) == (
        factor == 10
    )


def test_a_column_of_one_value_makes_no_groups() -> None:
    for column in (["here"] * 30, torch.ones(30), np.zeros(30, int)):
        with pytest.raises(ValueError, match=r"groups: place has one value for all 30 test"):
            measured(network(), train=TRAIN, test=TEST, groups={"place": column})


def test_a_test_set_with_random_augmentation_is_told(tmp_path: Path) -> None:
    """As of a random_split of one dataset, of which `clean` reaches the training half alone."""
    whole = Augmented(70, 0)
    halves = {"train": Subset(whole, range(40)), "test": Subset(whole, range(40, 70))}
    for name, more in (("train is clean", {"clean": lambda x: x}), ("both", {})):
        with measure(network(), **halves, **more, out=tmp_path / name) as watched:
            pass
        said = " ".join(watched.verdict.split())
        assert "The test pictures are other ones each time that they are read" in said, name
        assert ("for that alone, and not because it memorized" in said) == (name != "both")


def test_augmentation_of_few_examples_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Last(TensorDataset):
        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            x, y = super().__getitem__(index)
            return (x + torch.rand(()) if index >= 20 else x), y

    with measure(network(), train=Last(*TRAIN), test=TEST, out=tmp_path / "run"):
        pass
    assert "train gives other inputs each time" in capsys.readouterr().out


class Wrapped(Dataset[Any]):
    """Another dataset with a transform of its own, as many programs have it."""

    def __init__(self, subset: Any, transform: Callable[[Tensor], Tensor]) -> None:
        self.subset, self.transform = subset, transform

    def __len__(self) -> int:
        return len(self.subset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.subset[index]
        return self.transform(x), y


@pytest.mark.parametrize("same", [True, False])
def test_two_splits_of_the_same_pictures_share_examples(
    same: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Split twice with other seeds, of two objects with other transforms."""
    one, other = TensorDataset(*TRAIN), TensorDataset(TRAIN[0] if same else -TRAIN[0], TRAIN[1])
    train_set = Wrapped(Subset(one, range(25)), lambda x: x + torch.rand(()))
    test_set = Wrapped(Subset(other, range(10, 40)), lambda x: 2 * x)
    with measure(linear(), train=train_set, test=test_set, out=tmp_path / "run"):
        pass
    assert ("share examples, 15 of the 30" in capsys.readouterr().out) == same


def test_dictionaries_fit_the_network_or_the_line_says_what_to_give() -> None:
    plain = measured(network(), train=TRAIN, test=TEST)
    items = [
        {"image": x, "file": f"{i}.png", "label": int(y)}
        for i, (x, y) in enumerate(zip(*TRAIN, strict=True))
    ]
    assert measured(network(), train=items, test=TEST)["loss/train"] == plain["loss/train"]
    more = [{**item, "weight": 1.0} for item in items]
    with pytest.raises(ValueError, match=r"give forward=, such as lambda model, x: model\(x\['im"):
        measured(network(), train=TEST, test=more)


def test_arrays_of_any_strides_and_byte_order_are_read() -> None:
    plain = measured(network(), train=TRAIN, test=TEST)
    x, y = (each.numpy() for each in TRAIN)
    turned = x[::-1].copy()[::-1], y[::-1].copy()[::-1]
    foreign = x.astype(">f4"), y.astype(">i8")
    for given in (turned, foreign):
        assert measured(network(), train=given, test=TEST)["loss/train"] == plain["loss/train"]
    with pytest.raises(ValueError, match="train: torch has no numbers of the kind datetime64"):
        measured(network(), train=(x.astype("datetime64[s]"), y), test=TEST)


def test_examples_that_each_batch_pads_anew_are_measured() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor, length: Tensor) -> Tensor:
            return (x.sum(dim=1) / length)[:, None] * torch.tensor([1.0, -1.0])

    def padded(items: Any) -> Any:
        x = nn.utils.rnn.pad_sequence([x for x, _ in items], batch_first=True)
        length = torch.tensor([float(len(x)) for x, _ in items])
        return {"x": x, "length": length, "labels": torch.tensor([y for _, y in items])}

    items = [(torch.randn(3 + i // 100 * 4), i % 2) for i in range(150)]
    loader = DataLoader(items, batch_size=8, collate_fn=padded)  # type: ignore[arg-type]
    found = measured(Mean(), train=loader, test=loader)
    z = torch.stack([x.mean() * torch.tensor([1.0, -1.0]) for x, _ in items])
    loss = nn.functional.cross_entropy(z, torch.tensor([y for _, y in items]))
    assert found["loss/train"].value == pytest.approx(loss.item(), rel=1e-5)


def test_pictures_that_a_loop_may_have_to_scale_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = (TRAIN[0] * 40 + 100).clamp(0, 255).round(), TRAIN[1]
    for name, inputs, forward, told in (
        ("whole", x, None, True),
        ("scaled", x / 255, None, False),
        ("by forward", x, lambda model, x: model(x / 255), False),
        ("binary", (x > 100).float(), None, False),
    ):  # fmt: skip
        given = {"train": (inputs, y), "test": (inputs.flip(-1), y)}
        with measure(network(), **given, forward=forward, out=tmp_path / name):
            pass
        assert ("whole numbers up to 255" in capsys.readouterr().out) == told, name


def test_pictures_that_each_batch_pads_anew_have_thumbnails_of_one_size() -> None:
    """Of 120 pictures the last 20 are wider: they are read in a part of their own."""
    sizes = [(8, 8)] * 100 + [(8, 12)] * 20
    items = [(torch.rand(1, *size), k % 2) for k, size in enumerate(sizes)]
    found = MeasuredSet(Source(items, "test"), most=None, seed=0)
    assert found.thumbnails is not None
    assert found.thumbnails.shape == (120, 3, 12, 12)
    assert found.thumbnails[:100].min() == 0 or found.thumbnails[100:].min() == 0


@pytest.mark.parametrize(
    ("shape", "are_pictures"),
    [
        ((100, 12), False), ((12, 100), False), ((30, 6), False), ((1, 8, 128), False),
        ((28, 28), True), ((1, 8, 8), True), ((8, 16), True), ((32, 128), True),
        ((3, 12, 40), True), ((12, 40, 3), True),
    ],
)  # fmt: skip
def test_narrow_records_of_signals_are_no_pictures(
    shape: tuple[int, ...], are_pictures: bool
) -> None:
    """Also of whole numbers up to 255, which are no pictures as files have them."""
    x, y = (255 * torch.rand(40, *shape)).round(), torch.arange(40) % 2
    found = MeasuredSet(Source((x, y), "test"), most=None, seed=0)
    assert (found.thumbnails is not None, found.unscaled) == (are_pictures, are_pictures)


def test_rows_with_numbers_that_are_not_finite_are_found_and_no_others() -> None:
    """The sum of a row may overflow though all of its numbers are finite."""
    x = torch.rand(6, 3, 8, 8)
    x[1] = torch.finfo(torch.float32).max
    x[2, 0, 0, 0], x[3, 1, 1, 1], x[4, 2, 2, 2] = float("nan"), float("inf"), -float("inf")
    y = torch.arange(6) % 2
    assert MeasuredSet(Source((x, y), "test"), most=None, seed=0).broken == 3
    x[2:5] = 0.5
    assert MeasuredSet(Source((x, y), "test"), most=None, seed=0).broken == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            DataLoader(TensorDataset(*TRAIN), batch_size=None),
            r"\(batch_size=None\): give a dataset",
        ),
        (Wrapped, "train must be a map-style dataset"),
        ({"x": TRAIN[0], "y": TRAIN[1]}, r"train is a dictionary of 'x', 'y': .*\(train\['x'\], "),
        ((list(TRAIN[0]), TRAIN[1]), r"a list of 40, .* give torch.stack\(train\[0\]\) in place"),
        ((list(TRAIN[0].numpy()), TRAIN[1].numpy()), "its inputs are a list of 40"),
    ],
)
def test_what_holds_no_single_examples_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(network(), train=given, test=TEST)


def test_inputs_that_are_not_finite_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holes = TRAIN[0].clone()
    holes[3:5, 0, 1, 1] = math.nan
    with measure(network(), train=(holes, TRAIN[1]), test=TEST, out=tmp_path / "run") as watched:
        pass
    assert "train: inputs are not finite in 2 of the 40" in capsys.readouterr().out
    assert "the inputs of 2 examples" in watched.verdict


def test_classes_of_other_shares_in_train_and_test_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ones = torch.where(TEST[1] == 0, torch.arange(30) % 4 // 2, TEST[1])
    for name, labels, told in (
        ("even", TEST[1], 0),
        ("a little", ones, 0),
        ("one", 1 + 0 * ones, 1),
    ):
        with measure(network(), train=TRAIN, test=(TEST[0], labels), out=tmp_path / name):
            pass
        said = capsys.readouterr().out
        assert said.count("% of train and ") == told, name
    assert "the class 0 is 50.0 % of train and 0 % of test" in said


class Pair(NamedTuple):
    """Inputs with names."""

    image: Tensor
    size: Tensor


def test_named_tuples_stay_what_they_are() -> None:
    items = [(Pair(x, torch.ones(())), y) for x, y in zip(*TRAIN, strict=True)]
    found = measured(
        network(), train=items, test=[(Pair(x, x), y) for x, y in zip(*TEST, strict=True)],
        forward=lambda model, x: model(x.image),
    )  # fmt: skip
    assert found["loss/train"] == measured(network(), train=TRAIN, test=TEST)["loss/train"]


def hooks_of(model: nn.Module) -> int:
    return sum(
        len(each)
        for module in model.modules()
        for name, each in vars(module).items()
        if "_hooks" in name and isinstance(each, dict)
    )


def trained_for(
    steps: int, watched: Watcher, model: nn.Module, rate: float = 0.1, norm: Any = as_is
) -> None:
    """Some steps of plain SGD on `TRAIN`, whose pictures go through `norm`, in whole batches."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(norm(TRAIN[0])), TRAIN[1]).backward()
        optimizer.step()
        watched()


@pytest.mark.parametrize("case", ["trained", "copied", "other parameters", "rate 0", "lazy"])
def test_a_loop_that_trains_another_network_is_told(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model: nn.Module = network()
    if case == "lazy":
        model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", every=4) as watched:
        if case == "copied":
            model = copy.deepcopy(model)
        if case == "other parameters":  # its running statistics do change
            other = copy.deepcopy(model)
            for one, new in zip(model.parameters(), other.parameters(), strict=True):
                one.grad = new.grad = torch.ones_like(one)
            optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
            for _ in range(13):
                model(TRAIN[0])
                optimizer.step()
                watched()
        else:
            if case == "lazy":
                model(TRAIN[0])
            trained_for(13, watched, model, rate=0.0 if case == "rate 0" else 0.1)
    said = capsys.readouterr().out
    untouched = case not in ("trained", "lazy")
    assert said.count("none of the weights of the watched model has changed in 12") == untouched
    assert watched.verdict.startswith("None of its weights changed in 13 steps") == untouched


def test_a_watcher_that_is_never_told_of_a_step_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for called in (False, True):
        model = network()
        with measure(model, train=TRAIN, test=TEST, out=tmp_path / str(called)) as watched:
            trained_for(3, watched if called else lambda: None, model)  # type: ignore[arg-type]
        assert ("was never called" in capsys.readouterr().out) == (not called)


def test_steps_that_change_no_weight_at_first_are_no_reason_to_warn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network()
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", every=1) as watched:
        trained_for(3, watched, model, rate=0.0)
        trained_for(9, watched, model)
    assert "none of the weights" not in capsys.readouterr().out
    assert "weights" not in watched.verdict


class Returns(nn.Module):
    """Logits, with features or other things before or after them."""

    def __init__(self, around: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.around = nn.Linear(64, 2), around

    def forward(self, x: Tensor) -> Any:
        features = x.flatten(1)
        return self.around(features, self.inner(features))


class Both(NamedTuple):
    """Outputs with names."""

    features: Tensor
    logits: Tensor


@pytest.mark.parametrize(
    "around",
    [
        lambda features, z: (z, features),
        lambda features, z: [z.sum(), z],
        lambda features, z: (None, z),
        lambda features, z: (features[:, :1].long(), z),
        lambda features, z: (z, z.softmax(1), z.log_softmax(1), features),
        lambda features, z: (z, z[:, :1]),
        lambda features, z: (z.softmax(1), z),
        lambda features, z: Both(features, z),
    ],
)
def test_of_several_outputs_the_one_that_fits_is_taken(around: Any) -> None:
    plain = measured(linear(), train=TRAIN, test=TEST)
    found = measured(Returns(around), train=TRAIN, test=TEST)
    assert found["loss/train"].value == pytest.approx(plain["loss/train"].value, rel=1e-4)


@pytest.mark.parametrize(
    ("around", "told"),
    [
        (lambda features, z: (z, 2 * z), (0, 1)),
        (lambda features, z: (features, z, 2 * z), (1, 2)),
        (lambda features, z: (0 * z, 0 * z), (0, 1)),
        (lambda features, z: (z, z.sigmoid(), 2 * z), (0, 2)),
        (lambda features, z: (z[:, :1], z), (0, 1)),
        (lambda features, z: (z[:, 0], z[:, 1]), (0, 1)),
        (lambda features, z: (features[:, :3], features[:, 3:6]), (0, 1)),
    ],
)
def test_of_several_outputs_that_fit_the_line_asks_which(
    around: Any, told: tuple[int, int], tmp_path: Path
) -> None:
    model = Returns(around)
    with pytest.raises(ValueError, match=r"returns [23] items, of which .* may be") as caught:
        measure(model, train=TRAIN, test=TEST, out=tmp_path / "run").open()
    assert "\n" not in str(caught.value)
    assert f"m(x)[{told[0]}], or [{told[1]}]" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_features_before_the_logits_are_not_taken_for_logits(tmp_path: Path) -> None:
    model = Returns(lambda features, z: (features, z))
    with pytest.raises(
        ValueError, match=r"item 0 has 64 columns, .*=lambda m, x: m\(x\)\[1\]"
    ) as e:
        measure(model, train=TRAIN, test=TEST, out=tmp_path / "run").open()
    assert "\n" not in str(e.value)
    assert not (tmp_path / "run").exists()
    plain = measured(linear(), train=TRAIN, test=TEST)
    named = Named(["a", "b"], *TRAIN)
    for given in (
        {"forward": lambda m, x: m(x)[1]}, {"classes": ["a", "b"]}, {"train": named}
    ):  # fmt: skip
        found = measured(model, **{"train": TRAIN, "test": TEST, **given})
        assert found["loss/train"] == plain["loss/train"]


def test_inputs_of_two_parts_are_two_arguments_or_the_line_says_what_to_give() -> None:
    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = linear()

        def forward(self, pair: Any) -> Any:
            return self.inner(pair[0] + pair[1])

    items = [((x, 0 * x), int(y)) for x, y in zip(*TRAIN, strict=True)]
    with pytest.raises(ValueError, match=r"has 2 parts, .* the model takes \(pair.*give forward="):
        measured(Pairs(), train=items, test=items)
    found = measured(Pairs(), train=items, test=items, forward=lambda model, x: model(x))
    assert found["loss/train"] == measured(linear(), train=TRAIN, test=TRAIN)["loss/train"]


@pytest.mark.parametrize(
    ("stored", "said", "forward"),
    [
        (lambda x: (40 * x + 128).byte(), r"(30, 1, 8, 8) torch.uint8", lambda m, x: m(x / 255)),
        (lambda x: (40 * x).int(), r"(30, 1, 8, 8) torch.int32", lambda m, x: m(x / 255)),
        (
            lambda x: x[..., :4],
            r"(30, 1, 8, 4) torch.float32",
            lambda m, x: m(x.repeat(1, 1, 1, 2)),
        ),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_inputs_that_the_loop_converts_need_forward_and_the_line_says_so(
    stored: Any, said: str, forward: Any, lazy: bool, tmp_path: Path
) -> None:
    train_set, test_set = ((stored(x), y) for x, y in (TRAIN, TEST))

    def model() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(2)) if lazy else linear()

    def measure_it(given: Any) -> None:
        network = model()
        with measure(
            network, train=train_set, test=test_set, out=tmp_path / "run", quiet=True, **given
        ) as watched:
            network(TRAIN[0])
            watched(0)

    with pytest.raises(ValueError, match=r"the network fails: .* forward= too") as caught:
        measure_it({})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    measure_it({"forward": forward})


def normalize(x: Tensor) -> Tensor:
    return (x - 120) / 50


def by_forward(model: nn.Module, x: Tensor) -> Any:
    return model(normalize(x))


@pytest.mark.parametrize(
    ("back", "in_loop", "forward", "told"),
    [
        (lambda x: 50 * x + 120, normalize, None, True),
        (lambda x: 50 * x + 120, normalize, by_forward, False),
        (as_is, as_is, by_forward, True),
        (as_is, as_is, None, False),
        (lambda x: x.clamp(0, 1), lambda x: (x.clamp(0, 1) - 0.5) / 0.5, None, True),
        (as_is, lambda x: (x + 0.2 * torch.randn_like(x)).flip(-1), None, False),
    ],
    ids=["forgotten", "given", "too much", "none", "halves", "augmented"],
)
def test_a_loop_that_normalizes_inputs_is_told(
    back: Any, in_loop: Any, forward: Any, told: bool, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loader = DataLoader(TensorDataset(back(TRAIN[0]), TRAIN[1]), batch_size=8, shuffle=True)
    before = hooks_of(model)
    with measure(
        model, train=loader, test=(back(TEST[0]), TEST[1]), forward=forward, out=tmp_path / "run",
        every=1,
    ) as watched:  # fmt: skip
        for step, (x, y) in enumerate(loader):
            nn.functional.cross_entropy(model(in_loop(x)), y).backward()
            optimizer.step()
            watched()
            assert (hooks_of(model) > before) == (step < 1), "16 examples are enough"
    assert capsys.readouterr().out.count("the loop feeds the model") == told
    assert hooks_of(model) == before


def test_labels_that_the_loop_passes_along_are_not_taken_for_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Labeled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
            return self.inner(x)

    model = Labeled()
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run") as watched:
        model(labels=TRAIN[1] + 90, x=TRAIN[0])
        watched()
    assert "the loop feeds" not in capsys.readouterr().out


def test_copies_of_a_network_keep_nothing_of_ours(tmp_path: Path) -> None:
    model = network()
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True):
        copied, stored = copy.deepcopy(model), pickle.dumps(model)
        assert hooks_of(model) > 0
        copied(TRAIN[0])
        assert hooks_of(copied) == 0
    assert hooks_of(model) == 0
    assert b"lab" not in stored
    loaded = pickle.loads(stored)
    assert torch.equal(loaded.eval()(TEST[0]), copy.deepcopy(model).eval()(TEST[0]))


def test_a_loop_that_compiles_or_transforms_the_network_goes_on(tmp_path: Path) -> None:
    model = network()
    for module in model.modules():
        module.training = module.training and not isinstance(module, nn.modules.batchnorm._NormBase)
    with measure(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True) as watched:
        faster = torch.compile(model, backend="eager")
        for _ in range(3):
            faster(TRAIN[0]).sum().backward()
            watched()
        weights = dict(model.named_parameters())

        def loss(x: Tensor) -> Tensor:
            out: Tensor = torch.func.functional_call(model, weights, (x[None],))
            return out.sum()

        torch.func.vmap(torch.func.grad(loss), randomness="different")(TRAIN[0])
    assert hooks_of(model) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that scripting is deprecated
        scripted = torch.jit.script(linear())
    assert measured(scripted, train=TRAIN, test=TEST)["accuracy/test"].count == 30


def test_the_record_of_a_run_that_has_ended_stays_as_it_is(tmp_path: Path) -> None:
    watched = watch(
        network(), train=TEST, test=TEST, out=tmp_path / "run", every=np.int64(2),
        most=np.int64(20), quiet=True, pictures=False,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="not open"):
        watched.measure()
    with watched:
        for _ in range(5):
            watched()
    files = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    for late in (watched, watched.measure):
        with pytest.raises(RuntimeError, match="not open"):
            late()
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == files
    assert [line["step"] for line in RunDir(tmp_path / "run").metrics()] == [0, 2, 4, 5]


def test_arrays_that_cannot_be_written_are_read(tmp_path: Path) -> None:
    """As `np.load` gives them with `mmap_mode="r"`; torch's warning would end the test."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 36)).astype(np.float32), np.arange(40) % 2
    np.save(tmp_path / "x.npy", x)
    held = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = nn.Linear(36, 2)
    with watch(
        model, train=(held[:20], y[:20]), test=(held[20:], y[20:]), out=tmp_path / "run", quiet=True
    ) as watched:
        pass
    right = model(torch.from_numpy(x[20:])).argmax(dim=1).numpy() == y[20:]
    assert watched.metrics["accuracy/test"].value == pytest.approx(right.mean())


def test_words_for_a_setting_that_the_lab_has_as_a_number_are_the_users_own(tmp_path: Path) -> None:
    """As a schedule in place of a learning rate; the lab knows nothing of its own one then."""
    for run, given in (("a", {"augment": None, "learning_rate": "cosine"}), ("b", {"seed": 3})):
        with measure(network(), train=TRAIN, test=TEST, out=tmp_path / run, settings=given):
            pass
    whole = json.loads((tmp_path / "a" / "config.json").read_text())
    assert not {"augment", "learning_rate"} & whole["train"].keys()
    assert whole["watched"]["settings"] == {"augment": None, "learning_rate": "cosine"}
    assert found_table(tmp_path).grid["learning_rate"] == ("cosine", None)


def test_settings_may_be_scalars_of_numpy_and_torch(tmp_path: Path) -> None:
    given = {"learning_rate": np.float32(0.5), "mine": torch.tensor(3), "on": np.bool_(True)}
    with measure(network(), train=TRAIN, test=TEST, out=tmp_path / "run", settings=given):
        pass
    text = (tmp_path / "run" / "config.json").read_text()
    assert json.loads(text)["train"]["learning_rate"] == 0.5
    assert '"mine": 3' in text
    assert '"on": true' in text


@pytest.mark.parametrize("kind", [tuple, list])
def test_two_arrays_of_inputs_are_the_parts_of_each(
    kind: Callable[[Any], Any], tmp_path: Path
) -> None:
    """As (numbers, categories); a list of two examples is none of that."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 2)

        def forward(self, one: Tensor, other: Tensor) -> Tensor:
            return self.head(torch.cat([one, other], dim=1))  # type: ignore[no-any-return]

    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(40, 2, generator=generator), torch.randn(40, 4, generator=generator)
    labels = torch.arange(40) % 2
    model, given = Both(), (kind((one, other)), labels)
    with watch(model, train=given, test=given, out=tmp_path / "run", quiet=True, pictures=False):
        pass
    right = (model(one, other).argmax(dim=1) == labels).float().mean()
    summary = RunDir(tmp_path / "run").summary()
    assert summary["accuracy"]["test"]["value"] == pytest.approx(float(right))
