"""What a run logs is what the tag table says, and can be read back by others."""

import errno
import html
import json
import math
import re
import threading
import time
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator as DataIngester,
)
from tensorboard.compat.tensorflow_stub.io import gfile
from tensorboard.plugins.custom_scalar import layout_pb2
from torch import nn

from lab.core.config import RunConfig
from lab.core.estimate import Estimate
from lab.core.metrics import METRICS
from lab.core.metrics import charts as charts_of_the_table
from lab.tracking import hparams, layout, tags, texts
from lab.tracking.predicted import PredictedExamples
from lab.tracking.projector import principal
from lab.tracking.strips import Strip
from lab.tracking.summary import write_summary
from lab.tracking.views import (
    Points,
    picture_steps,
    write_bars,
    write_conflicting,
    write_curves,
    write_losses,
    write_projector,
    write_sheets,
    write_strip,
)
from lab.tracking.writer import Tracker
from support.scripts import is_a_good_line

SCALARS = [row for row in METRICS if row.is_scalar]


def answers(count: int, seed: int, *, size: int = 32) -> PredictedExamples:
    """Made-up answers, some of them on mislabeled faces."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(count) % 2
    return PredictedExamples(
        images=torch.randint(
            0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator
        ),
        probabilities=torch.rand(count, 2, generator=generator).softmax(1),
        labels=truth ^ (torch.arange(count) % 5 == 0),
        clean_labels=truth,
        classes=("not a person", "person"),
    )


def figures(step: int) -> dict[str, Estimate | float]:
    """A made-up figure for every scalar of the table."""
    made: dict[str, Estimate | float] = {}
    for i, row in enumerate(SCALARS):
        value = math.sin(step + i)
        made[row.name] = Estimate(value, value - 0.1, value + 0.2, 9) if row.interval else value
    return made


def strip() -> Strip:
    """Two faces with three values of an attribute."""
    images = torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8)
    return Strip(
        attribute="gaze", what="person", values=("left", "ahead", "right"), images=images,
        chances=torch.rand(2, 3), right=torch.rand(2, 3) > 0.5,
    )  # fmt: skip


def points(count: int, seed: int) -> Points:
    said = answers(count, seed)
    features = torch.randn(count, 7, generator=torch.Generator().manual_seed(seed))
    return Points(
        answers=said, features=features, attributes={"smile": [f"tab\t{i}" for i in range(count)]}
    )


def read(folder: Path) -> EventAccumulator:
    everything = {
        "scalars": 0, "images": 0, "histograms": 0, "tensors": 0, "compressedHistograms": 0,
    }  # fmt: skip
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with made-up figures that logs everything there is."""
    place = tmp_path_factory.mktemp("runs") / "made-up"
    place.mkdir()
    train, test = answers(40, 1), answers(60, 2)
    with Tracker(place) as tracker:
        tracker.start(hparams.settings(RunConfig()))
        tracker.text("config", texts.settings_table({"name": "<b>*x*|y</b>"}))
        tracker.text("groups", texts.table(("kind", "train"), [("person", 20)]))
        about = texts.environment(device=torch.device("cpu"), threads=1)
        tracker.text("environment", texts.table(("what", "value"), about.items()))
        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
        assert tracker.graph(model, torch.zeros(1, 3, 32, 32))
        for step in (0, 3, 10):
            tracker.scalars(step, figures(step))
            write_losses(tracker, step, train=torch.rand(40), test=torch.rand(60))
            write_sheets(tracker, step, train=train, test=test)
            write_curves(tracker, step, test)
            write_conflicting(tracker, step, test)
            share = Estimate(0.5, 0.4, 0.6, 9)
            write_bars(tracker, step, relevant={"eyes": share}, nuisances={"gaze": share})
            write_strip(tracker, step, strip())
        for name in ("occlusion_maps", "pictures/likeliest_wrong_labels"):  # of folders
            tracker.image(name, 10, np.zeros((8, 8, 3), dtype=np.uint8))
        for kind in ("map", "curve", "power_law"):  # a sweep writes these
            tracker.image(f"{kind}/accuracy_test", 0, np.zeros((8, 8, 3), dtype=np.uint8))
        tracker.image("report/learning", 0, np.zeros((8, 8, 3), dtype=np.uint8))  # a report card
        for tag in ("faces/most_memorized", "faces/least_memorized", "pool/scores"):  # a pool
            tracker.image(tag, 0, np.zeros((8, 8, 3), dtype=np.uint8))
        tracker.histogram("memorization_score/ordinary", 0, torch.zeros(3))
        tracker.text("pool_findings", texts.literal("It knows many faces by heart."))
        tracker.text("report_card", texts.literal("It needs many faces."))
        tracker.text("cues", texts.table(("cue", "strength"), [("gaze", 0.9)]))
        tracker.text("group_accuracies", texts.table(("group", "accuracy"), [("person", 0.9)]))
        tracker.text("parts", texts.table(("parts", "called a person"), [("eyes", 0.9)]))
        write_projector(tracker, {"train": points(40, 1), "test": points(60, 2)})
        tracker.text("verdict", texts.literal("It memorized."), 10)
        tracker.finished()
    return place


def logged(events: EventAccumulator, kind: str) -> set[str]:
    """The tags of one kind, as they stand in the event file."""
    plugins = {"pr_curve": "pr_curves", "text": "text"}
    if kind in plugins:
        names = events.summary_metadata
        mine = {tag for tag in names if names[tag].plugin_data.plugin_name == plugins[kind]}
        return {tag.removesuffix("/text_summary") for tag in mine}
    return set(
        events.Tags()[{"scalar": "scalars", "image": "images", "histogram": "histograms"}[kind]]
    )


@pytest.mark.parametrize("kind", ["scalar", "image", "histogram", "text", "pr_curve"])
def test_the_tags_in_the_log_are_those_in_the_table(folder: Path, kind: Any) -> None:
    found = logged(read(folder), kind)
    scalar = kind == "scalar"
    rows: list[Any] = SCALARS if scalar else [row for row in tags.TAGS if row.kind == kind]
    for tag in found:
        tags.scalar(tag) if scalar else tags.find(tag, kind)
    for row in rows:
        assert any(row.fits(tag) for tag in found), row.name
    if scalar:
        assert found == {name for row in rows for name in row.names()}


def test_the_other_kinds_of_the_table_are_in_the_folder(folder: Path) -> None:
    events = read(folder)
    assert {row.kind for row in tags.TAGS} == set(get_args(tags.TagKind))
    assert events.Tags()["graph"]
    assert sum(tag.startswith("_hparams_/") for tag in events.summary_metadata) == 3
    config = (folder / "projector_config.pbtxt").read_text()
    assert f'"{next(row.name for row in tags.TAGS if row.kind == "embedding")}"' in config


def test_scalars_read_back(folder: Path) -> None:
    events = read(folder)
    for row in SCALARS:
        for step, event in zip((0, 3, 10), events.Scalars(row.name), strict=True):
            figure = figures(step)[row.name]
            value = figure.value if isinstance(figure, Estimate) else figure
            assert event.step == step
            assert event.value == pytest.approx(value, rel=1e-6)
        if row.interval:
            low, high = events.Scalars(f"{row.name}_low"), events.Scalars(f"{row.name}_high")
            assert low[0].value < events.Scalars(row.name)[0].value < high[0].value


def test_metrics_hold_the_same_figures_one_line_for_each_evaluation(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line.pop("step") for line in lines] == [0, 3, 10]
    events = read(folder)
    timed = {row.name for row in SCALARS if row.clock}
    for i, line in enumerate(lines):
        assert line.keys() == set(events.Tags()["scalars"]) - timed
        for tag, value in line.items():
            assert events.Scalars(tag)[i].value == pytest.approx(value, rel=1e-6)


def test_the_layout_draws_tags_of_the_table_that_the_run_has_written(folder: Path) -> None:
    content = read(folder).Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    drawn = layout_pb2.Layout.FromString(content)
    written = set(read(folder).Tags()["scalars"])
    charts = [chart for category in drawn.category for chart in category.chart]
    assert len(charts) == sum(map(len, charts_of_the_table().values())) + 1, (
        "and the strongest nuisance"
    )
    for chart in charts:
        for series in chart.margin.series:
            assert {series.value, series.lower, series.upper} <= written


def test_charts_that_a_run_cannot_fill_are_left_out() -> None:
    drawn = layout.layout({"accuracy/train", "accuracy/test"})
    (chart,) = [chart for category in drawn.category for chart in category.chart]
    assert chart.title.endswith(": ■ train ◆ test"), "TensorBoard names no curve on the chart"


def test_reliance_has_charts_of_its_own() -> None:
    written = {"reliance/eyes", "reliance/gaze", "reliance/smile", "shortcut/strongest"}
    names = {"relevant": ("eyes", "nose"), "nuisances": ("gaze", "smile")}

    def titles(*cues: str) -> list[str]:
        (category,) = layout.layout(written, **names, cues=cues).category
        return [chart.title for chart in category.chart]

    assert [title.partition(":")[0] for title in titles()] == [
        "highest on any nuisance", "relevant attributes", "all nuisances",
    ]  # fmt: skip
    assert titles("gaze")[0] == "cues: should be 0"
    drawn = layout.layout(written, **names, cues=("gaze",)).category[0].chart
    assert [series.value for series in drawn[0].margin.series] == ["reliance/gaze"]
    assert list(drawn[1].multiline.tag) == ["^reliance/eyes$"], "nobody redrew the nose"


def test_a_tag_that_the_table_lacks_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with Tracker(tmp_path) as tracker:
        for wrong in (
            {"accuracy/train": 0.5, "acuracy/test": 0.5},
            {"optim/learning_rate": Estimate(1, 0, 2)},  # its row knows no interval
            {"verdict": 1.0},
        ):
            with pytest.raises(ValueError, match="metrics"):
                tracker.scalars(0, wrong)
        with pytest.raises(ValueError, match="tag table"):
            tracker.text("accuracy/train", "x")
    assert not (tmp_path / "metrics.jsonl").exists()
    assert read(tmp_path).Tags()["scalars"] == []


def test_a_resumed_run_leaves_the_logs_of_one_that_was_never_stopped(tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for place in (whole, halves):
        place.mkdir()
    with Tracker(whole) as tracker:
        for step in (0, 5, 10, 20):
            tracker.scalars(step, figures(step))
    with Tracker(halves) as tracker:
        for step in (0, 5, 10):  # the checkpoint was made after 5, the crash came after 10
            tracker.scalars(step, figures(step))
    with (halves / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "accura')  # and tore a line
    with Tracker(halves, start_step=6) as tracker:
        for step in (10, 20):
            tracker.scalars(step, figures(step))
    assert (whole / "metrics.jsonl").read_bytes() == (halves / "metrics.jsonl").read_bytes()
    one, two = read(whole), read(halves)
    assert one.Tags()["scalars"] == two.Tags()["scalars"]
    for tag in one.Tags()["scalars"]:
        assert [(e.step, e.value) for e in one.Scalars(tag)] == [
            (e.step, e.value) for e in two.Scalars(tag)
        ]
    assert sorted(p.name for p in halves.iterdir() if not p.name.startswith("events")) == [
        "metrics.jsonl"
    ]


def test_a_run_that_is_concluded_again_has_each_final_figure_once(tmp_path: Path) -> None:
    """Both stand there of one that came out otherwise; one that is hidden is logged again."""
    tag = "memorization/membership_auc"

    def conclude(start_step: int, high: float) -> list[int]:
        with Tracker(tmp_path, start_step=start_step) as tracker:
            tracker.final(10, {tag: Estimate(0.6, 0.5, high, 9)})
        events = read(tmp_path)
        return [len(events.Scalars(name)) for name in (tag, f"{tag}_low", f"{tag}_high")]

    assert conclude(0, 0.7) == [1, 1, 1]
    assert conclude(11, 0.7) == [1, 1, 1]
    assert conclude(11, 0.8) == [1, 1, 2]
    assert conclude(5, 0.7) == [1, 1, 1]
    assert conclude(11, 0.7) == [1, 1, 1]


def test_a_clock_that_was_set_back_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard reads files in the order of the seconds in their names: the older one last."""
    with Tracker(tmp_path) as tracker:
        for step in (0, 5):
            tracker.scalars(step, figures(step))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    assert not caplog.messages
    with Tracker(tmp_path, start_step=6) as tracker:
        tracker.scalars(10, figures(10))
    (line,) = caplog.messages
    assert "the clock is behind the event files" in line
    is_a_good_line(line, names=str(tmp_path))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


def test_a_run_that_is_concluded_again_has_each_text_once(tmp_path: Path) -> None:
    def conclude(start_step: int, text: str) -> list[str]:
        with Tracker(tmp_path, start_step=start_step) as tracker:
            tracker.text("verdict", text, 10)
        events = DataIngester(str(tmp_path))
        events.Reload()
        return [
            e.tensor_proto.string_val[0].decode() for e in events.Tensors("verdict/text_summary")
        ]

    assert conclude(0, "learned") == ["learned"]
    assert conclude(11, "learned") == ["learned"]
    assert conclude(11, "memorized") == ["learned", "memorized"]
    assert conclude(5, "learned") == ["learned"], "what it had is trained again, and hidden"


def test_a_run_that_begins_again_keeps_nothing_of_the_first_try(tmp_path: Path) -> None:
    for _ in range(2):
        with Tracker(tmp_path) as tracker:
            tracker.scalars(0, figures(0))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
    assert len(read(tmp_path).Scalars("accuracy/train")) == 1


def test_a_log_that_cannot_be_closed_does_not_hide_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def fail() -> None:
        with Tracker(tmp_path):
            monkeypatch.setattr("torch.utils.tensorboard.writer.FileWriter.add_summary", full)
            raise ValueError("the reason")

    with pytest.raises(ValueError, match="the reason"):
        fail()


def test_a_disk_that_is_full_from_the_start_is_one_error_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's own thread prints no traceback beside it."""
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gfile.LocalFileSystem, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        Tracker(tmp_path)
    assert caught.value.filename == str(tmp_path)
    for thread in threading.enumerate():
        if type(thread).__name__ == "_AsyncWriterThread":
            thread.join(10)
    assert told == []


def test_what_is_no_number_becomes_null_and_breaks_no_picture(tmp_path: Path) -> None:
    nothing = float("nan")
    said = answers(6, 0)
    lost = PredictedExamples(
        images=said.images, probabilities=torch.full((6, 2), nothing), labels=said.labels,
        clean_labels=said.clean_labels, classes=said.classes,
    )  # fmt: skip
    with Tracker(tmp_path) as tracker:
        tracker.scalars(
            0, {"loss/train": Estimate(math.inf, -math.inf, math.inf), "loss/test": nothing}
        )
        write_losses(tracker, 0, train=torch.full((6,), nothing), test=torch.tensor([]))
        write_losses(tracker, 1, train=torch.tensor([1.0, nothing]), test=torch.tensor([math.inf]))
        write_sheets(tracker, 0, train=lost, test=lost)
        write_curves(tracker, 0, lost)
        lost_points = Points(answers=lost, features=torch.full((6, 3), nothing), attributes={})
        write_projector(tracker, {"train": lost_points})
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line == {
        "step": 0, "loss/train": None, "loss/train_low": None, "loss/train_high": None,
        "loss/test": None,
    }  # fmt: skip
    assert [e.step for e in read(tmp_path).Histograms("example_loss/train")] == [1]
    assert "nan" not in (tmp_path / "projector" / "points.tsv").read_text()


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        (("no eyes", "one eye", "two eyes"), ("no_eyes", "one_eye", "two_eyes")),
        (("hot dog", "hot_dog", "in/out"), ("hot_dog_0", "hot_dog_1", "in_out")),
    ],
)
def test_classes_beyond_two_have_a_curve_each(
    classes: tuple[str, ...], named: tuple[str, ...], tmp_path: Path
) -> None:
    said = PredictedExamples(
        images=torch.zeros(9, 3, 16, 16, dtype=torch.uint8),
        probabilities=torch.eye(3).repeat(3, 1),
        labels=torch.arange(9) % 3,
        clean_labels=torch.arange(9) % 3,
        classes=classes,
    )
    with Tracker(tmp_path) as tracker:
        write_curves(tracker, 0, said)
    found = read(tmp_path)
    assert logged(found, "pr_curve") == {f"precision_recall/{name}" for name in named}


def test_summary_nests_the_tags_and_is_valid_json(tmp_path: Path) -> None:
    write_summary(
        tmp_path,
        status="finished",
        step=20,
        metrics={
            "accuracy/test": Estimate(0.7, 0.6, 0.8, 100),
            "accuracy/train": Estimate.point(1.0),
            "loss/test": math.nan,
        },
        verdict="It memorized.",
        config={"out": Path("runs"), "data": {"num_train": 100}},
    )

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    found = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert found == {
        "status": "finished",
        "step": 20,
        "accuracy": {
            "test": {"value": 0.7, "low": 0.6, "high": 0.8, "count": 100}, "train": {"value": 1.0},
        },
        "loss": {"test": {"value": None}},
        "verdict": "It memorized.",
        "config": {"out": "runs", "data": {"num_train": 100}},
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_summary_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(verdict: str) -> None:
        write_summary(tmp_path, status="finished", step=1, metrics={}, verdict=verdict, config={})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write("first")
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{name}", full)
            with pytest.raises(OSError, match="No space"):
                write("second")
    assert json.loads((tmp_path / "summary.json").read_text())["verdict"] == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


class Shifty(nn.Module):
    """A network that changes with every look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(3 * 16 * 16, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(images) + 0 * torch.rand(()))


def test_the_graph_changes_neither_the_model_nor_any_random_state(tmp_path: Path) -> None:
    model = Shifty().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    with Tracker(tmp_path) as tracker:
        assert tracker.graph(model, torch.rand(1, 3, 16, 16, generator=torch.Generator()))
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_that_cannot_be_traced_does_no_harm(tmp_path: Path) -> None:
    class Stubborn(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise TypeError("not today")

    with Tracker(tmp_path) as tracker:
        assert not tracker.graph(Stubborn(), torch.rand(1, 3, 16, 16))


def test_the_projector_reads_one_row_and_one_thumbnail_for_each_point(folder: Path) -> None:
    rows = (folder / "projector" / "examples.tsv").read_text().splitlines()
    numbers = np.loadtxt(folder / "projector" / "points.tsv", delimiter="\t")
    assert numbers.shape == (100, 7)
    assert len(rows) == 1 + 100
    assert {row.count("\t") for row in rows} == {rows[0].count("\t")}
    expected = torch.cat([points(40, 1).features, points(60, 2).features])
    assert numbers == pytest.approx(expected.double().numpy(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("shape", [(30, 8), (30, 100), (90, 65), (5, 200)])
def test_wide_features_keep_their_distances_along_principal_axes(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(shape, generator=generator)
    found = principal(wide, 64)
    assert found.shape[1] <= 64
    axes = min(*shape, 64)
    u, s, _ = torch.linalg.svd((wide - wide.mean(0)).double(), full_matrices=False)
    expected = torch.pdist((u * s)[:, :axes])
    assert torch.pdist(found) == pytest.approx(expected, rel=1e-6)


def test_thumbnails_stand_in_the_order_of_the_points(tmp_path: Path) -> None:
    from PIL import Image

    with Tracker(tmp_path) as tracker:
        write_projector(tracker, {"train": points(12, 5)})
    with Image.open(tmp_path / "projector" / "examples.png") as picture:
        sprite = np.asarray(picture)
    across = sprite.shape[1] // 32
    assert across == math.ceil(math.sqrt(12))
    for i, face in enumerate(answers(12, 5).images):
        row, column = divmod(i, across)
        cut = sprite[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        assert (cut == face.permute(1, 2, 0).numpy()).all()


def test_pictures_are_made_first_midway_and_last() -> None:
    steps = [0, 1, 2, 5, 10, 50, 100]
    assert picture_steps(steps) == {0, 5, 100}
    assert picture_steps([7]) == {7}
    assert picture_steps([]) == frozenset()


def test_tag_names_are_unique_and_grouped_by_metric() -> None:
    names = [name for row in METRICS for name in row.names()]
    names += [row.name for row in tags.TAGS]
    assert len(set(names)) == len(names)
    for row in SCALARS:
        assert row.name.count("/") == 1


@pytest.mark.parametrize(
    "text", ["<script>x</script>", "a|b", "**b** _i_ `c`", "[l](http://x)", "# h", "&amp; -- 1."]
)
def test_texts_are_shown_letter_by_letter(text: str) -> None:
    """Against TensorBoard's own rendering of Markdown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library inside TensorBoard, at its import
        from tensorboard.plugin_util import markdown_to_safe_html
    table = markdown_to_safe_html(texts.table(("x", "y"), [(text, 1)]))
    cells = re.findall(r"<td>(.*?)</td>", table)
    assert [html.unescape(cell) for cell in cells] == [text, "1"]
    alone = markdown_to_safe_html(texts.literal(text))
    assert html.unescape(alone) == f"<p>{text}</p>"


def test_a_run_that_goes_on_at_once_keeps_its_whole_curve(tmp_path: Path) -> None:
    """TensorBoard reads event files by name: the second in which each was begun, then the machine
    and the process, which say nothing of their order."""
    with Tracker(tmp_path) as tracker:
        tracker.scalars(0, {"loss/test": 3.0})
    (first,) = tmp_path.glob("events*")
    first.rename(tmp_path / f"events.out.tfevents.{int(time.time()) + 1}.zz.9.0")
    with Tracker(tmp_path, start_step=1) as tracker:
        tracker.scalars(1, {"loss/test": 2.0})
        tracker.scalars(2, {"loss/test": 1.0})
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("loss/test")
    assert [(event.step, event.value) for event in events] == [(0, 3.0), (1, 2.0), (2, 1.0)]
