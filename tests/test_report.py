"""Report cards: a network in a file of its own is measured, and the page says what was found."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig, ModelConfig, RunConfig
from lab.core.estimate import Estimate
from lab.evaluators.components import predict_components
from lab.experiments import make_grid, make_jobs, run_grid
from lab.experiments.presets.equal_cues import cues_of
from lab.experiments.report_card import CardResult, report
from lab.experiments.report_card import plots as drawn
from lab.experiments.report_card.card import Card, CueAdopted, RandomLabels, Size, plain
from lab.experiments.report_card.make import size_of
from lab.experiments.report_card.plan import plans
from lab.experiments.report_card.report import DATA, card_folder
from lab.experiments.report_card.sections.occlusions import OCCLUSIONS
from lab.experiments.report_card.subject import Subject, subject_of
from lab.experiments.report_card.words import sentences, summary_rows, to_markdown
from lab.experiments.runner.jobs import key_of
from lab.experiments.runner.run import check_jobs
from lab.measure import FacesNeeded, faces_needed, fit_power_law, predict
from lab.playground.logdir import open_logdir
from lab.runs.load import open_run
from lab.worlds import DrawnWorld, draw_examples, get_task, open_world
from lab.worlds.faces import PARTS
from support.configs import tiny
from support.executors import Here
from support.made_up import numbers
from support.scripts import is_refused, load_script

CARD = {"num_test": 40, "steps": 4, "batch_size": 8, "counterfactuals": 4}

NET = """
from torch import nn

def my_net(spec):
    inputs = spec.in_channels * spec.image_size**2
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, spec.num_outputs))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "my_net.py").write_text(NET)
    return folder


ASKED, PART_FACES = 100, 10
"""How many unseen faces the cards of these tests ask about."""


@contextmanager
def small_cards() -> Iterator[None]:
    """Let cards take few runs, done in this process, and ask little of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.experiments.runner.run.open_executor", lambda *_: Here())
        patch.setattr("lab.experiments.presets.equal_cues.CUES", ("skin_color", "eye_color"))
        for module, name, value in (
            ("sections.cues", "CUE_FACES", 16), ("ask", "FACES", ASKED),
            ("ask", "PART_FACES", PART_FACES), ("report", "STEPS", 1), ("report", "PICTURES", 10),
            ("report", "TURNS", 1),
        ):  # fmt: skip
            patch.setattr(import_module(f"lab.experiments.report_card.{module}"), name, value)
        yield


@pytest.fixture(scope="module")
def made(place: Path) -> CardResult:
    with small_cards():
        return report(
            f"{place}/my_net.py:my_net", tiny(place / "cards", **CARD), against=["linear"], seeds=2,
            sizes=(16, 24), random_sizes=(8,), processes=2, command="the <command>",
            say=lambda _: None, watch=False,
        )  # fmt: skip


def test_a_card_takes_no_other_folders_place(tmp_path: Path) -> None:
    (tmp_path / "cnn").mkdir()
    (tmp_path / "cnn" / "config.json").write_text("{}")
    assert card_folder(tmp_path, "cnn") == tmp_path / "cnn-2"
    assert card_folder(tmp_path, "/a/runs.py:runs") == tmp_path / "runs-2", "all runs are in runs"
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / DATA).write_text(json.dumps({"cards": [{"model": "/a/net.py:net"}]}))
    assert card_folder(tmp_path, "/a/net.py:net") == tmp_path / "net"
    assert card_folder(tmp_path, "/b/net.py:net") == tmp_path / "net-2"


def test_a_card_without_reliance_is_refused_before_any_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--counterfactuals must be 1 or more"):
        report(
            "cnn",
            tiny(tmp_path / "cards", **{**CARD, "counterfactuals": 0}),
            say=lambda _: None,
        )
    assert not (tmp_path / "cards").exists()


class Page(HTMLParser):
    """Collects what a page would load from elsewhere, its texts, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.cells: list[str] = []
        self.tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not str(value).startswith(("#", "data:")):
                self.loaded.append(str(value))
            if name == "id":
                self.ids.append(str(value))
            assert tag != "script"

    def handle_data(self, data: str) -> None:
        if self.tag in ("td", "li", "code"):
            self.cells.append(data)


def test_the_card_is_page_text_and_data(made: CardResult) -> None:
    assert not made.failed
    page = Page((made.folder / "report_card.html").read_text())
    assert page.loaded == [], "it needs nothing else"
    assert len(page.ids) == len(set(page.ids))
    assert "the <command>" in page.cells
    for sentence in made.sentences:
        assert sentence in page.cells
        assert sentence in (made.folder / "report_card.md").read_text()
    content = json.loads((made.folder / "report_card.json").read_text())
    assert [card["model"].rpartition("/")[2] for card in content["cards"]] == [
        "my_net.py:my_net", "linear",
    ]  # fmt: skip


def test_its_figures_are_those_of_the_runs(made: CardResult, place: Path) -> None:
    content = json.loads((made.folder / "report_card.json").read_text())
    card = content["cards"][0]
    runs = [
        (path.parent, json.loads(path.read_text()))
        for path in sorted((place / "cards" / "runs").glob("*my_net*/summary.json"))
    ]
    assert card["parameters"] == 3 * 16 * 16 * 2 + 2
    for size in card["learning"]:
        values = [
            summary["accuracy"]["test"]["value"]
            for _, summary in runs
            if summary["config"]["data"]["num_train"] == size["faces"]
            and not summary["config"]["data"]["cues"]
            and not summary["config"]["data"]["label_noise"]
        ]
        assert len(values) == 2
        assert size["test"]["value"] == pytest.approx(np.mean(values))
    largest = [
        folder
        for folder, summary in runs
        if summary["config"]["data"]["num_train"] == 24 and not summary["config"]["data"]["cues"]
    ]
    subpopulations: dict[str, list[float]] = {}
    whole = []
    for folder in largest:
        config, model, *_ = open_run(folder)
        faces = draw_examples(config.data, split="test", count=ASKED, seed=config.seed)
        said = predict(model, faces.images).argmax(dim=1) == faces.clean_labels
        for k, kind in enumerate(faces.all_subpopulations):
            subpopulations.setdefault(kind.name, []).append(
                float(said[faces.subpopulations == k].float().mean())
            )
        world = DrawnWorld.of(config.data, seed=config.seed)
        called = predict_components(world, model, count=PART_FACES)
        whole.append(float(called[-1].float().mean()))
    assert {k: pytest.approx(np.mean(v)) for k, v in subpopulations.items()} == {
        kind: share["value"] for kind, share in card["subpopulations"].items()
    }
    assert card["parts"][" + ".join(PARTS)]["value"] == pytest.approx(np.mean(whole))


def test_tensorboard_has_it_too(made: CardResult) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(made.folder), size_guidance={"images": 0, "tensors": 0})
    events.Reload()
    assert set(events.Tags()["images"]) == {
        f"report/{name}" for name in ("learning", "cues", "reliance", "subpopulations", "parts")
    }
    text = events.Tensors("report_card/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "my" in text
    assert "membership AUC" in text


@pytest.mark.usefixtures("plain_figures")
def test_the_tab_faces_says_what_its_folder_is(made: CardResult) -> None:
    listed = {run.name: run for run in open_logdir(str(made.folder.parent)).runs().runs}
    assert listed[made.folder.name].trouble.startswith("a report card")
    assert any(run.config is not None for run in listed.values())


def test_the_same_call_again_repeats_no_run(made: CardResult, place: Path) -> None:
    runs = place / "cards" / "runs"
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("summary.json")}
    with small_cards():
        again = report(
            f"{place}/my_net.py:my_net", tiny(place / "cards", **CARD), against=["linear"], seeds=2,
            sizes=(16, 24), random_sizes=(8,), processes=2, command="the <command>",
            say=lambda _: None, watch=False,
        )  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("summary.json")} == before
    assert len(again.sentences) == len(made.sentences)


def test_a_file_that_has_changed_is_another_network(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    config = RunConfig(model=ModelConfig(model=f"{file}:net"))
    missing = key_of(config)
    file.write_text("one")
    one = key_of(config)
    file.write_text("two")
    assert len({missing, one, key_of(config)}) == 3


@pytest.mark.usefixtures("plain_figures")
def test_a_network_that_fails_in_training_gets_no_card(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        NET.replace("def my_net", "class Bad(nn.Linear):\n"
                    "    def forward(self, x):\n"
                    "        if self.training and len(x) == 8:\n"
                    "            raise RuntimeError('no more')\n"
                    "        return super().forward(x)\n\n"
                    "def my_net").replace("nn.Linear(inputs", "Bad(inputs")
    )  # fmt: skip
    with small_cards():
        outcome = report(
            f"{tmp_path}/bad.py:my_net", tiny(tmp_path / "cards", **CARD), seeds=2, sizes=(16, 24),
            random_sizes=(8,), processes=2, say=lambda _: None, watch=False,
        )  # fmt: skip
    assert outcome.sentences == ()
    assert all("no more" in failure.reason for failure in outcome.failed)
    assert not outcome.folder.exists()


@pytest.mark.usefixtures("plain_figures")
@pytest.mark.parametrize("main", [False, True])
@pytest.mark.parametrize("stage", ["make_card", "steps_of"])
def test_a_network_that_cannot_be_measured_takes_no_other_card_with_it(
    made: CardResult, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stage: str, main: bool,
) -> None:  # fmt: skip
    assert not made.failed
    shutil.copytree(place / "cards" / "runs", tmp_path / "cards" / "runs")  # none is repeated
    module = import_module("lab.experiments.report_card.report")
    usual = getattr(module, stage)

    def breaks(model: str, /, *given: Any, **named: Any) -> Any:
        if model == "linear":
            raise KeyError("nowhere")
        return usual(model, *given, **named)

    monkeypatch.setattr(module, stage, breaks)
    mine = f"{place}/my_net.py:my_net"
    models = ("linear", mine) if main else (mine, "linear")
    with small_cards():
        outcome = report(
            models[0], tiny(tmp_path / "cards", **CARD), against=models[1:], seeds=2,
            sizes=(16, 24), random_sizes=(8,), processes=2, say=lambda _: None, watch=False,
        )  # fmt: skip
    (failure,) = outcome.failed
    assert str(failure).startswith("model linear, ")
    assert "its runs are finished" in str(failure)
    assert "KeyError: 'nowhere'" in str(failure)
    assert bool(outcome.sentences) == outcome.folder.exists() == (not main)
    if not main:
        content = json.loads((outcome.folder / "report_card.json").read_text())
        assert [card["model"] for card in content["cards"]] == [mine]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--model cnm", "did you mean 'cnn_"),
        ("--against cnm", "did you mean 'cnn_"),
        ("--seeds 1", "--seeds must be 2 or more"),
        ("--sizes 300 100", "--sizes takes rising numbers"),
        ("--sizes 100", "--sizes takes rising numbers"),
        ("--cues eye_color:1", "--cues is set by the report card"),
        ("--num-train 5", "--num-train is set by --sizes"),
        ("--early-stopping 3", "--early-stopping is set by the report card"),
        ("--stop-at-loss 0.1", "--stop-at-loss is set by the report card"),
        ("--copies 0.5", "--copies is set by the report card"),
        ("--sizes 1 100", "--num-train must be"),
        ("--random-sizes 1", "--num-train must be"),
    ],
)
def test_bad_flags_are_one_line_and_write_nothing(flags: str, said: str, tmp_path: Path) -> None:
    run = load_script("report_card").report_card
    assert said in is_refused(run, [*flags.split(), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


FACES = Subject(noun="faces", described="Task person", classes=("no", "yes"), tested="40")
"""What the made-up cards are about."""


def card(name: str = "cnn", **changes: object) -> Card:
    """A made-up card."""
    share = Estimate(0.7, 0.6, 0.8)
    sizes = tuple(Size(faces=n, train=share, test=share, membership_auc=share) for n in (100, 1000))
    usual = Card(
        model=name,
        name=name,
        chance=0.5,
        parameters=1234,
        training_speed=1.0,
        answering_speed=2.0,
        learning=sizes,
        needed=(
            FacesNeeded(0.9, Estimate(520, 400, 700)),
            FacesNeeded(0.95, Estimate(1000.0), "more than"),
        ),
        power_law=fit_power_law([100, 1000, 1000], [0.3, 0.1, 0.11]),
        random_labels=(
            RandomLabels(faces=100, train=Estimate(1.0), fitted=True),
            RandomLabels(faces=300, train=share, fitted=False),
        ),
        cues={"eye_color": CueAdopted(reliance=share, unbiased=share, among_all=share)},
        subpopulations={"person": share, "scrambled": Estimate(0.4, 0.3, 0.5)},
        reliance={"eyes": share, "eye_color": share},
        parts={
            "no part": Estimate(0.1, 0.05, 0.15),
            "eyes": Estimate(0.2, 0.16, 0.24),
            "eyes + nose": Estimate(0.9, 0.8, 1.0),
        },
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_the_sentences_say_what_the_figures_say() -> None:
    found = sentences([card(), card("mlp")], FACES, steps=500, compared="cnn")
    said = " ".join(found)
    for part in (
        "cnn has 1,234 parameters.",
        "For 90 % test accuracy it needs 520 (400–700) faces, for 95 % more than 1,000",
        "(for 90 %: mlp 520 (400–700))",
        ": eyes 0.20 (0.16–0.24).",
        "lowest on scrambled.",
    ):
        assert part in said
    (mlp,) = (
        each
        for each in sentences([card("mlp", training_speed=3.14)], FACES, steps=5, compared="cnn")
        if "parameters" in each
    )
    assert mlp == "mlp has 1,234 parameters and trains at 3.1 times the speed of cnn."
    (labels,) = (each for each in found if "random labels" in each)
    assert numbers(labels) == [500, 100, 300]
    (parts,) = (each for each in found if "complete faces" in each)
    assert 90 in numbers(parts)
    wide = Estimate(0.15, 0.0, 0.3)
    open_ = card(
        subpopulations={"person": Estimate(0.7, 0.5, 0.9), "scrambled": Estimate(0.4, 0.3, 0.5)},
        parts={"no part": wide, "nose": wide, "eyes": Estimate(0.2, 0.1, 0.3), "both": wide},
        cues={
            name: CueAdopted(reliance=wide, unbiased=wide, among_all=wide)
            for name in ("eye_color", "gaze")
        },
    )
    said = " ".join(sentences([open_], FACES, steps=500, compared="cnn"))
    for part in (
        "eyes 0.20 (0.10–0.30), which cannot be told from 2 other sets of parts.",
        "lowest on scrambled, though not surely lower than on person.",
        "it relies most on eye color 0.15 (0.00–0.30), which cannot be told from gaze.",
    ):
        assert part in said
    none = card(random_labels=(RandomLabels(faces=100, train=Estimate(0.5), fitted=False),))
    (labels,) = (
        each
        for each in sentences([none], FACES, steps=500, compared="cnn")
        if "random labels" in each
    )
    assert numbers(labels)[:3] == [500, 100, 50]
    assert none.largest_fitted is None


def test_seeds_that_reach_the_target_at_once_and_never_are_both_told() -> None:
    needed = tuple(
        faces_needed([10, 240], [[0.93, 0.99], [0.5, 0.8]], target) for target in (0.9, 0.95)
    )
    found = sentences([card(needed=needed)], FACES, steps=500, compared="cnn")
    assert (
        "For 90 % test accuracy it needs at most 10 (1 of 2 seeds) to more than 240 (1 of 2)"
        " faces, for 95 % more than 83."
    ) in found
    rows = dict(summary_rows([card(needed=needed)], FACES)[1])
    assert (
        rows["faces for 90 % test accuracy"]
        == "at most 10 (1 of 2 seeds) to more than 240 (1 of 2)"
    )


def test_an_accuracy_that_one_answer_to_all_gets_is_not_told_as_reached() -> None:
    """Of uneven classes: in the sentences and the table alike."""
    uneven = dataclasses.replace(FACES, noun="pictures", usual="good", frequent=0.9)
    share = Estimate(0.9, 0.9, 0.9)
    more = FacesNeeded(0.95, Estimate(240.0), "more than")
    constant, better = (
        card(name, needed=(None, more), power_law=law)
        for name, law in (("cnn", None), ("mlp", card().power_law))
    )
    last = dataclasses.replace(constant.best, test=share)
    constant = dataclasses.replace(constant, learning=(constant.learning[0], last))
    said = sentences([constant, better], uneven, steps=500, compared="cnn")
    assert (
        "Always answering good gets 90.0 % of the test pictures right: 90 % test accuracy shows"
        " nothing that it learned. For 95 % test accuracy it needs more than 240 pictures (for"
        " 95 %: mlp more than 240)."
    ) in said
    assert not any("test error falls" in each for each in said)
    rows = {row[0]: row[1:] for row in summary_rows([constant, better], uneven)[1]}
    gets = "none: always answering good gets 90.0 %"
    assert rows["pictures for 90 % test accuracy"] == (gets, gets)
    assert rows["pictures for 95 % test accuracy"] == ("more than 240",) * 2
    exponent = "none: accuracy not surely above that of always answering good"
    assert rows["exponent of the test error"][0] == exponent
    assert "test accuracy (a guess: 0.50; always good: 0.90), 1,000 pictures" in rows
    higher = dataclasses.replace(uneven, frequent=0.96)
    neither = sentences([card(needed=(None, None))], higher, steps=500, compared="cnn")
    assert any(
        each.endswith("right: 90 % and 95 % test accuracy show nothing that it learned.")
        for each in neither
    )
    assert plain(constant, noun="pictures")["needed"][0] is None


def test_a_card_says_that_answers_are_no_function_of_the_picture() -> None:
    said, doubted = (
        sentences([card(**changes)], FACES, steps=500, compared="cnn")
        for changes in ({}, {"doubt": "Its answers vary."})
    )
    assert doubted == [*said, "Its answers vary."]


def test_a_card_says_of_each_network_that_knew_the_test_pictures() -> None:
    """Of those that it is compared with, too; nothing of all others."""
    known = {"before": Estimate(1.0)}
    for first, other, named in (({}, {}, []), (known, {}, ["cnn"]), ({}, known, ["mlp"])):
        cards = [card(**first), card("mlp", **other)]
        found = sentences(cards, FACES, steps=500, compared="cnn")
        told = [each for each in found if "Before training" in each]
        assert [each.partition(" got")[0] for each in told] == [
            f"Before training {n}" for n in named
        ]
        assert all("got 100 % of the test faces right already" in each for each in told)


@pytest.mark.usefixtures("plain_figures")
def test_the_card_of_a_network_with_weights_from_a_file_says_that_it_knew_the_test_faces(
    place: Path,
) -> None:
    """Beside a new network of the same shape, of which nothing is said."""
    settings = tiny(place / "known", **CARD)
    images, labels = [], []
    for seed in (0, 1):
        test = open_world(settings.data, seed=seed).load("test", settings.data.num_test)
        images.append(test.images.flatten(1) / 127.5 - 1)
        labels.append(test.labels)
    x, y = torch.cat(images), torch.cat(labels)
    layer = torch.nn.Linear(x.shape[1], 2)
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layer(x), y).backward()
        optimizer.step()
    torch.save({f"1.{n}": w for n, w in layer.state_dict().items()}, place / "best.pt")
    (place / "tuned.py").write_text(
        NET + "\ndef tuned(spec):\n    import torch\n    net = my_net(spec)\n"
        f"    net.load_state_dict(torch.load({str(place / 'best.pt')!r}))\n    return net\n"
    )
    with small_cards():
        made = report(
            f"{place}/tuned.py:tuned", settings, against=[f"{place}/my_net.py:my_net"], seeds=2,
            sizes=(16, 24), random_sizes=(8,), processes=2, say=lambda _: None, watch=False,
        )  # fmt: skip
    (told,) = (each for each in made.sentences if "Before training" in each)
    assert "of the test faces right already" in told
    assert "tuned" in told
    cards = json.loads((made.folder / DATA).read_text())["cards"]
    assert [each["before"] is not None for each in cards] == [True, False]


def test_an_error_that_does_not_surely_fall_is_not_told_to_fall() -> None:
    for errors, said in (
        ([0.3, 0.1, 0.101], "Its test error falls as (number of faces)^-0.4"),
        ([0.01, 0.01, 0.01], "Its test error is about the same for all numbers of training faces."),
        ([0.3, 0.1, 0.9], "Whether its test error falls with the number of faces cannot be told"),
    ):
        law = fit_power_law([100, 1000, 1000], errors)
        found = sentences([card(power_law=law)], FACES, steps=500, compared="cnn")
        (told,) = (each for each in found if "test error" in each)
        assert told.startswith(said)


@pytest.mark.usefixtures("plain_figures")
def test_a_card_has_the_warnings_of_the_dry_run(place: Path) -> None:
    """The page has them, too, and says the sentences that it says without."""
    (place / "sure.py").write_text(
        NET.replace(
            "nn.Linear(inputs, spec.num_outputs))",
            "nn.Linear(inputs, spec.num_outputs), nn.Softmax(dim=1))",
        )
    )
    with small_cards():
        made = report(
            f"{place}/sure.py:my_net", tiny(place / "sure", **CARD), seeds=2, sizes=(16, 24),
            random_sizes=(8,), processes=2, say=lambda _: None, watch=False,
        )  # fmt: skip
    (warning,) = (each for each in made.sentences if "it returns probabilities" in each)
    assert warning.startswith("Of ")
    assert "--model" not in warning
    assert warning in (made.folder / "report_card.md").read_text()


def test_the_table_has_a_column_for_each_network() -> None:
    header, rows = summary_rows([card(), card("a/b.py:net")], FACES)
    assert header == ("", "cnn", "a/b.py:net")
    assert {len(row) for row in rows} == {3}
    found = {row[0]: row[1] for row in rows}
    assert found["test accuracy (a guess: 0.50), 100 faces"] == "0.70 (0.60–0.80)"
    assert found["largest set of random labels fitted"] == "100"
    assert re.match(r"-0\.\d\d \(", found["exponent of the test error"])
    text = to_markdown([card()], ["A sentence."], FACES, command="c", conditions="d")
    assert "| 1,234 |" in text


@pytest.mark.usefixtures("runs_here")
def test_runs_end_where_their_training_faces_are_fitted(tmp_path: Path) -> None:
    """Those that see them often enough, as a run with the usual number of steps does; others are
    measured at their ends alone."""

    def jobs(**settings: object) -> dict[tuple[str, int], RunConfig]:
        base = tiny(tmp_path, **{"num_train": 100, "eval_every": None, **settings})
        found = plans(base, ["mlp"], FACES, sizes=[8, 5000], random_sizes=[9])
        return {
            (name, job.config.data.num_train): job.config
            for name, plan in found.items()
            for job in make_jobs(
                plan.base, make_grid(plan.grid), seeds=1, out=tmp_path, adapt=plan.adapt
            )
        }

    usual = jobs(steps=1000, batch_size=64)
    assert {name for name, _ in usual} == {"learning", "random", "cues"}
    for (_, size), config in usual.items():
        assert config.train.max_steps == 1000
        assert config.train.eval_every == (1000 if size == 5000 else 125)
        assert config.loss_bound == (None if size == 5000 else 0.001)
    for config in jobs(steps=1000, weight_decay=0.1).values():
        assert config.loss_bound is None
        assert config.train.eval_every == 1000
    base = tiny(tmp_path, steps=400, eval_every=None)
    plan = plans(base, ["mlp"], FACES, sizes=[8, 9], random_sizes=[8])["learning"]
    table = run_grid(plan.base, plan.grid, seeds=2, processes=1, adapt=plan.adapt)
    for cell in table.cells:
        for run in cell.runs:
            steps = [entry["step"] for entry in run.history]
            assert steps == [*range(0, len(steps) * 50, 50)]
            assert 100 <= steps[-1] < 400


@pytest.mark.usefixtures("runs_here")
def test_training_faces_that_were_not_shown_are_told(tmp_path: Path) -> None:
    """As a run's own verdict does: in so few steps a network does not get to all of many."""
    shown = tuple(
        dataclasses.replace(size, shown=640 if size.faces == 1000 else None)
        for size in card().learning
    )
    said = sentences([card(learning=shown)], FACES, steps=10, compared="cnn")
    (line,) = (each for each in said if "shown" in each)
    assert "In 10 steps it is shown only 640 of its 1,000 training faces" in line
    rows = {row[0] for row in summary_rows([card(learning=shown)], FACES)[1]}
    assert "membership AUC, 1,000 faces (640 of them shown)" in rows
    assert "membership AUC, 100 faces" in rows
    assert not any("shown" in each for each in sentences([card()], FACES, steps=10, compared="cnn"))
    cell = run_grid(tiny(tmp_path, num_train=20), {"num_train": [20]}, seeds=2, processes=1).cells[
        0
    ]
    assert size_of(cell).shown == 3 * 4
    cell = run_grid(tiny(tmp_path), {"num_train": [12]}, seeds=2, processes=1).cells[0]
    assert size_of(cell).shown is None


@pytest.mark.usefixtures("runs_here")
def test_training_sets_that_are_not_fitted_are_told(tmp_path: Path) -> None:
    """Of each network, before what it needs; the table has the training accuracies then."""
    more = Estimate(0.995)
    sizes = tuple(dataclasses.replace(size, train=more) for size in card().learning)
    right = Estimate(0.49, 0.4, 0.58)
    half = dataclasses.replace(sizes[1], train=right, unfitted=right)
    fitted, short = card(learning=sizes), card("linear", learning=(sizes[0], half))
    for cards in ([short, fitted], [fitted, short]):
        said = sentences(cards, FACES, steps=200, compared="cnn")
        (line,) = (each for each in said if "fits its training faces" in each)
        assert "In 200 steps not every seed" in line
        assert "linear gets 49.0 % of 1,000 right (means; 99 % in every seed would count)" in line
        assert line.endswith("may change with more --steps.")
        assert said.index(line) < next(k for k, each in enumerate(said) if "it needs" in each)
        rows = {row[0]: row[1:] for row in summary_rows(cards, FACES)[1]}
        told = rows["train accuracy, 1,000 faces"]
        assert set(told) == {"0.49 (0.40–0.58), not fitted", "0.99"}
        assert "train accuracy, 100 faces" not in rows
    said = sentences([fitted], FACES, steps=200, compared="cnn")
    assert not any("fits its training faces" in each for each in said)
    assert not any("train accuracy" in row[0] for row in summary_rows([fitted], FACES)[1])
    for steps, expected in ((2, False), (400, True)):
        base = tiny(tmp_path, steps=steps, eval_every=None)
        (cell,) = run_grid(base, {"model": ["mlp"], "num_train": [8]}, seeds=2, processes=1).cells
        assert (size_of(cell).unfitted is None) == expected
        assert bool(cell.unfitted) != expected


def test_a_card_is_plain_values() -> None:
    found = plain(card())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["needed"][0]["faces"] == {"value": 520, "low": 400, "high": 700}
    assert torch.tensor(found["power_law"]["exponent"]["value"]).isfinite()


@pytest.mark.parametrize("task", ["count_eyes", "eye_color"])
def test_a_task_of_several_classes_can_have_a_card(task: str, tmp_path: Path) -> None:
    """Its cues have a value for each class; a guess is a line in the picture."""
    base = RunConfig(data=DataConfig(task=task, image_size=16), out=tmp_path)
    assert cues_of(task)
    subject = subject_of(base)
    sizes = {"sizes": subject.sizes(()), "random_sizes": subject.random_sizes(())}
    for plan in plans(base, ["linear"], subject, **sizes).values():
        check_jobs(make_jobs(plan.base, make_grid(plan.grid), seeds=1, out=tmp_path))
    chance = get_task(task).chance
    figure = drawn.learning([card(chance=chance)], subject)
    for axes in figure.axes[0], figure.axes[2]:
        assert axes.get_ylim()[0] < chance
        assert chance in [line.get_ydata()[0] for line in axes.lines]
    assert 0.5 in [line.get_ydata()[0] for line in figure.axes[1].lines]


@pytest.mark.parametrize(
    ("frequent", "lines"), [(0.5, (0.5, 0.9, 0.95)), (0.92, (0.92, 0.95)), (0.96, (0.96,))]
)
def test_accuracies_that_a_constant_answer_reaches_are_no_targets_of_the_figure(
    frequent: float, lines: tuple[float, ...]
) -> None:
    subject = dataclasses.replace(FACES, usual="no", frequent=frequent)
    axes = drawn.learning([card()], subject).axes[0]
    level = {line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"}
    assert level == set(lines)


def test_the_patch_that_a_network_needs_most_is_told_with_those_that_may_be_it() -> None:
    low, high = Estimate(0.1, 0.05, 0.15), Estimate(0.5, 0.4, 0.6)
    near = Estimate(0.45, 0.35, 0.55)
    found = {f"row{row}_column{column}": low for row in (1, 2) for column in (1, 2)}
    about = Subject(noun="pictures", described="", classes=("a", "b"), drawn=False, tested="40")
    clear = card(occlusions={**found, "row2_column1": high})
    said = OCCLUSIONS.say([clear], about)
    assert "Of 4 patches of the pictures it needs that in row 2 and column 1 most: 0.50" in said
    close = card(occlusions={**found, "row2_column1": high, "row1_column1": near})
    assert "most, which cannot be told from 1 of the others: 0.50" in OCCLUSIONS.say([close], about)
    never = card(occlusions=dict.fromkeys(found, Estimate(0.0, 0.0, 0.0)))
    assert OCCLUSIONS.say([never], about).startswith("None of 4 patches")
    ((name, *shares),) = OCCLUSIONS.rows([clear, close], about)
    assert "row 2 and column 1" in name
    assert len(shares) == 2
    assert OCCLUSIONS.draw([clear, close], about) is not None


def test_training_sets_that_lack_groups_of_the_test_set_are_told_with_their_seeds() -> None:
    plain = card()
    few, many = plain.learning
    lacking = dataclasses.replace(few, unstudied=2)
    said, usual = (
        " ".join(sentences([each], FACES, steps=10, compared="cnn"))
        for each in (card(learning=(lacking, many)), plain)
    )
    assert "In 2 seeds with 100 training faces the training set lacks groups" in said
    assert "lacks groups" not in usual
