"""Metrics of the user's own, from a file and from Python: as the lab's, and one line if broken."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lab.commands.evaluate import Flags, evaluate
from lab.core import metrics
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.estimate import Estimate
from lab.experiments import Cell, Table, make_grid, make_jobs, run_grid
from lab.experiments.presets.sweep import preset, view
from lab.experiments.runner.jobs import finished
from lab.experiments.show.tables import runs_csv, to_markdown
from lab.experiments.table import flatten, read_run
from lab.measure import (
    Predictions,
    load_metrics,
    metric,
    predict,
    register_metric,
    registered_metrics,
    unregister_metrics,
)
from lab.runs.load import open_run
from lab.runs.resolve import resolve
from lab.runs.train import resume, start
from lab.tracking.summary import nest
from lab.worlds import draw_examples
from support.configs import tiny

FILE = '''
import torch
from lab.measure import metric

@metric(low=0, high=2, better="down", heading="Brier score",
        meaning="squared error of the probabilities", splits=("test", "train"))
def brier(predictions):
    truth = torch.nn.functional.one_hot(predictions.labels, len(predictions.classes))
    return (predictions.probabilities - truth).square().sum(dim=1).mean()

def confident(predictions):
    """Share of predictions with more than 60 % confidence."""
    from lab.core.estimate import wilson
    torch.manual_seed(7)                 # neither of these reaches the run
    predictions.logits.zero_()
    torch.set_grad_enabled(True)
    return wilson(3, len(predictions))
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(FILE)
    return path


def config(out: Path, *names: str) -> RunConfig:
    return RunConfig(
        data=DataConfig(num_train=8, num_test=30, image_size=16), model=ModelConfig(width=2),
        train=TrainConfig(steps=4, eval_every=2), counterfactuals=0, pictures=False,
        metric=names, name="run", out=out,
    )  # fmt: skip


def told(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    return json.loads((folder / "summary.json").read_text())  # type: ignore[no-any-return]


def brier(folder: Path) -> float:
    """The independent computation, with NumPy, on the test set of a run."""
    own, model, *_ = open_run(folder)
    test = draw_examples(own.data, split="test", count=own.data.num_test, seed=own.seed)
    logits = predict(model, test.images).double().numpy()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.eye(2)[test.labels.numpy()]
    return float(((chances - truth) ** 2).sum(axis=1).mean())


def test_a_metric_from_a_file_is_measured_as_the_labs_are(file: Path, tmp_path: Path) -> None:
    names = (f"{file}:brier", f"{file}:confident")
    folder = start(config(tmp_path / "runs", *names)).folder
    own = told(folder)["own"]
    assert own["brier"]["value"] == pytest.approx(brier(folder))
    assert own.keys() == {"brier", "brier_train", "confident"}
    assert own["confident"]["value"] == 0.1
    assert own["confident"]["low"] < 0.1 < own["confident"]["high"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["own/confident_low"] for line in lines] == [own["confident"]["low"]] * 3
    events = EventAccumulator(str(folder)).Reload()
    assert events.Scalars("own/brier")[-1].value == pytest.approx(own["brier"]["value"])
    row = metrics.find("own/brier")
    assert (row.heading, row.limits, row.better) == ("Brier score", (0, 2), "down")
    plain = start(config(tmp_path / "others")).folder
    mine, others = told(folder), told(plain)
    del mine["own"], mine["config"], others["config"]
    for kept in ("seconds", "speed"):
        del mine[kept], others[kept]
    assert mine == others, "measuring changes nothing, whatever a metric does"


def test_a_value_that_is_no_number_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "import math\n"
        "def never(p): return math.nan\n"
        "def often(p): return math.inf if len(p) > 20 else 1.0\n"
        "def always(p): return 0.5\n"
    )
    names = [f"{path}:{name}" for name in ("never", "often", "always")]
    folder = start(config(tmp_path, *names)).folder
    said = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert [line.split()[3] for line in said] == ["own/never", "own/often"]
    assert "nan" in said[0]
    assert "inf" in said[1]
    found = told(folder)["own"]
    assert (found["never"]["value"], found["often"]["value"]) == (None, None)
    assert found["always"]["value"] == 0.5


@pytest.mark.parametrize(("value", "told"), [(7.0, True), (-0.1, True), (1.0, False), (0.0, False)])
def test_a_value_outside_of_the_declared_limits_is_told_once(
    value: float, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "from lab.measure import metric\n"
        f"@metric(low=0, high=1)\ndef share(p): return {value}\n"
        f"def free(p): return {value}\n"
    )
    start(config(tmp_path, f"{path}:share", f"{path}:free"))
    said = [line for line in capsys.readouterr().out.splitlines() if "your metric" in line]
    assert [f"own/share is {value:g}," in line for line in said] == [True] * told


def test_its_source_is_noted_and_does_not_bind_the_run(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A metric has no say in training: the run goes on with another one, says so, and notes it."""
    folder = start(config(tmp_path / "runs", f"{file}:brier")).folder
    noted = json.loads((folder / "config.json").read_text())
    (source,) = noted["metric_sources"]
    assert str(file) in source
    (folder / "summary.json").unlink()
    file.write_text(FILE.replace("square()", "abs()"))
    assert resume(folder) is not None
    again = json.loads((folder / "config.json").read_text())
    assert again["metric_sources"] != noted["metric_sources"]
    assert again["changed_at"] == [config(tmp_path).train.steps]
    assert "--metric" in caplog.text


def test_evaluate_measures_it_too(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = start(config(tmp_path / "a")).folder
    out = tmp_path / "out.json"
    evaluate(Flags(run=plain, metric=(f"{file}:brier",), counterfactuals=0, json=out))
    assert json.loads(out.read_text())["own"]["brier"]["value"] == pytest.approx(brier(plain))
    assert "Brier score" in capsys.readouterr().out
    own = start(config(tmp_path / "b", f"{file}:brier")).folder
    evaluate(Flags(run=own, counterfactuals=0, json=out))
    assert json.loads(out.read_text())["own"]["brier"]["value"] == pytest.approx(
        told(own)["own"]["brier"]["value"]
    )
    evaluate(Flags(run=own, counterfactuals=0, json=out, metric=("none",)))
    assert "own" not in json.loads(out.read_text())
    file.write_text(FILE + "\n# changed\n")
    with pytest.raises(ValueError, match="--metric none"):
        evaluate(Flags(run=own, counterfactuals=0))


def test_a_sweep_has_a_column_for_it_and_does_runs_anew_whose_metric_changed(
    file: Path, tmp_path: Path
) -> None:
    base = config(tmp_path / "runs", f"{file}:brier")
    (job,) = make_jobs(base, make_grid({"width": [2]}), seeds=1, out=base.out)
    run = read_run(start(job.config).folder, seed=0)
    table = Table({"width": (2,)}, base.out, (Cell({"width": 2}, job.config, (run,)),))
    assert finished(job)
    value = run.metrics["own/brier"].value
    (row,) = csv.DictReader(runs_csv(table).splitlines())
    assert float(row["own/brier"]) == value
    assert row["own_metrics"] == f"{file}:brier"
    assert "metric" not in row, "that is the column of cells.csv with the name of a metric"
    assert "Brier score" in to_markdown(view(table))
    preset(base, {"width": (2,)}, metrics=["own/brier"])
    with pytest.raises(ValueError, match="--metric"):
        preset(config(tmp_path), {"width": (2,)}, metrics=["own/brier"])
    file.write_text(FILE.replace("square()", "abs()"))
    (again,) = make_jobs(base, make_grid({"width": [2]}), seeds=1, out=base.out)
    assert again.key != job.key
    assert not finished(again)


def test_what_a_metric_imports_by_a_computed_name_is_a_source_of_it(tmp_path: Path) -> None:
    """It is noted, executed again by `evaluate`, and missed by a sweep when it has changed."""
    file, helper = tmp_path / "my.py", tmp_path / "scale_2.py"
    file.write_text(
        "import importlib\n"
        "def scaled(predictions):\n"
        "    return importlib.import_module('scale_' + str(1 + 1)).SCALE\n"
    )
    helper.write_text("SCALE = 2.0\n")
    base = config(tmp_path / "runs", f"{file}:scaled")
    (job,) = make_jobs(base, make_grid({"width": [2]}), seeds=1, out=base.out)
    folder = start(job.config).folder
    noted = json.loads((folder / "config.json").read_text())["metric_sources"]
    assert [key.rpartition(" ")[2] for key in noted] == ["file", "scale_2.py"]
    out = tmp_path / "out.json"
    evaluate(Flags(run=folder, counterfactuals=0, json=out))
    assert json.loads(out.read_text())["own"]["scaled"]["value"] == 2
    assert finished(job)
    helper.write_text("SCALE = 3.0\n")
    with pytest.raises(ValueError, match=r"scale_2\.py is changed"):
        finished(job)
    with pytest.raises(ValueError, match=r"scale_2\.py is not"):
        evaluate(Flags(run=folder, counterfactuals=0))


BROKEN = {
    "missing": "x = 1",
    "fails": "def fails(predictions): return predictions.logit",
    "ends": "def ends(predictions): raise SystemExit",
    "text": "def text(predictions): return 'much'",
    "many": "def many(predictions): return predictions.logits",
    "pair": "def pair(logits, labels): return 0.0",
    "number": "number = 3",
    "split": "from lab.measure import metric\n@metric(splits=('tset',))\n"
             "def split(predictions): return 0.0",
    "named": "from lab.measure import metric\n@metric(name='a/b')\n"
             "def named(predictions): return 0.0",
    "better": "from lab.measure import metric\n@metric(better='higher')\n"
              "def better(predictions): return 0.0",
    "turned": "from lab.core.estimate import Estimate\n"
              "def turned(predictions): return Estimate(0.5, 0.9, 0.1)",
    "texts": "from lab.core.estimate import Estimate\n"
             "def texts(predictions): return Estimate(0.5, '0.1', '0.9')",
    "train": "from lab.measure import metric\n@metric(splits=('test', 'train'))\n"
             "def train(predictions): return {'test': 1.0}[predictions.split]",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_one_line_before_anything_is_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(BROKEN[name])
    given = f"{tmp_path / 'my.py'}:{name}"
    with pytest.raises(ValueError, match="--metric") as caught:
        start(config(tmp_path / "runs", given))
    assert given in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(ValueError, match="--metric"):
        run_grid(config(tmp_path / "runs", given), {"width": [2]}, seeds=1, processes=1)


@pytest.mark.parametrize(
    ("split", "missing", "setting"),
    [
        ("validation", "--num-validation", {"num_validation": 4}),
        ("unbiased", "--cues", {"cues": ("eye_color:0.9",)}),
    ],
)
def test_one_for_sets_that_a_run_does_not_have_is_refused(
    split: str, missing: str, setting: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "my.py"
    file.write_text(
        "from lab.measure import metric\n"
        f"@metric(splits=({split!r},))\n"
        "def size(predictions): return float(len(predictions))\n"
        f"@metric(splits=({split!r}, 'test'))\n"
        "def both(predictions): return 1.0\n"
    )
    usual = config(tmp_path / "runs", f"{file}:size")
    with pytest.raises(ValueError, match=f"{split} only.*{missing}") as caught:
        resolve(usual, strict=True)
    assert f"--metric {file}:size" in str(caught.value)
    resolve(usual)  # in a sweep some runs may have that set, and others not
    resolve(config(tmp_path / "runs", f"{file}:both"), strict=True)
    resolve(tiny(tmp_path / "runs", metric=(f"{file}:size",), **setting), strict=True)


@pytest.mark.parametrize("number", ["numpy.float32", "torch.tensor", "int", "numpy.array"])
def test_an_estimate_of_other_kinds_of_numbers_is_one_of_plain_ones(
    number: str, tmp_path: Path
) -> None:
    file = tmp_path / "my.py"
    file.write_text(
        "import numpy, torch\n"
        "from lab.core.estimate import Estimate\n"
        "def spread(predictions):\n"
        f"    return Estimate(*map({number}, (2, 1, 4)), count=numpy.int64(len(predictions)))\n"
    )
    folder = start(config(tmp_path / "runs", f"{file}:spread")).folder
    shown = told(folder)["own"]["spread"]
    assert shown == {"value": 2.0, "low": 1.0, "high": 4.0, "count": 30}


@pytest.mark.parametrize("name", ["brier", "my.py", "nowhere.py:brier", ":x", "my.py:"])
def test_names_that_are_no_functions_in_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--metric"):
        start(config(tmp_path / "runs", name))
    assert not (tmp_path / "runs").exists()


def test_two_of_one_name_are_refused(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(FILE)
    with pytest.raises(ValueError, match="own/brier"):
        load_metrics([f"{file}:brier", f"{other}:brier"])


def test_one_called_as_the_end_of_anothers_interval_is_refused(tmp_path: Path) -> None:
    """In logs both would stand under one tag."""
    path = tmp_path / "my.py"
    path.write_text("def width(predictions): return 1.0\ndef width_low(predictions): return 2.0")
    assert len(load_metrics([f"{path}:width_low"])) == 1
    with pytest.raises(ValueError, match="own/width_low"):
        load_metrics([f"{path}:width", f"{path}:width_low"])


def test_a_metric_may_be_called_value() -> None:
    assert flatten(nest({"own/value": Estimate(0.25, 0.1, 0.4)})) == {
        "own/value": Estimate(0.25, 0.1, 0.4)
    }


@pytest.fixture
def forgotten() -> Iterator[None]:
    yield
    unregister_metrics()


@pytest.mark.usefixtures("forgotten")
def test_a_metric_registered_from_python(tmp_path: Path) -> None:
    seen: list[Predictions] = []

    def margin(predictions: Predictions) -> Estimate:
        seen.append(predictions)
        return Estimate(float(predictions.logits.diff(dim=1).abs().mean()), 0.0, 9.0)

    register_metric(margin, splits=("train", "test"), unit="logits", meaning="mean margin")
    folder = start(config(tmp_path)).folder
    assert told(folder)["own"]["margin"]["high"] == 9.0
    splits = {each.split: each for each in seen}
    assert splits.keys() == {"train", "test"}
    train = splits["train"]
    assert len(train) == 8
    assert train.classes == ("not a person", "person")
    assert len(train.group_names) == 2
    assert torch.equal(train.labels, train.clean_labels)
    assert train.right.tolist() == (train.logits.argmax(1) == train.labels).tolist()
    elsewhere = metric(splits=("nowhere",))(margin)
    with pytest.raises(ValueError, match="split"):
        register_metric(elsewhere)


@pytest.mark.usefixtures("forgotten")
def test_names_of_metrics_registered_from_python(tmp_path: Path) -> None:
    """None is that of an end of another's interval, nor that of one from a file; a metric that is
    registered again takes the place of the former one."""

    def one(predictions: Predictions) -> float:
        return 1.0

    register_metric(one, name="width")
    with pytest.raises(ValueError, match="own/width_low"):
        register_metric(one, name="width_low")
    again = register_metric(one, name="width", splits=("train", "test"))
    assert registered_metrics() == (again,)
    path = tmp_path / "my.py"
    for name in ("width", "width_high"):
        path.write_text(f"def {name}(predictions): return 2.0")
        with pytest.raises(ValueError, match=f"--metric .*own/{name}"):
            start(config(tmp_path, f"{path}:{name}"))
        assert not (tmp_path / "run").exists()
