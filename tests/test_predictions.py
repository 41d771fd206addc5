"""`predict.py`: files, folders and contact sheets, and what it tells about each."""

import contextlib
import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from lab.core.cli import main
from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.core.pictures import read_picture
from lab.measure import predict
from lab.runs.load import open_run
from lab.runs.predictions import Prediction, Seen, find_pictures, predictions, to_sheet
from lab.runs.train import start
from lab.tracking.sheets import FACE, INK, LINE, MARGIN, TITLE, WIDTH, Cell, draw_sheet
from lab.worlds import get_task
from lab.worlds.faces import render, sample_prior
from support.configs import tiny
from support.scripts import load_script

CLASSES = get_task("person").classes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, trained for some steps."""
    out = tmp_path_factory.mktemp("runs")
    with contextlib.redirect_stdout(io.StringIO()):
        return start(
            RunConfig(
                data=DataConfig(num_train=40, num_test=20, image_size=32),
                train=TrainConfig(steps=20, batch_size=20), counterfactuals=0,
                pictures=False, device="cpu",
                name="run", out=out,
            )
        ).folder  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in a folder and one within, a broken one among them, and other files."""
    place = tmp_path / "pictures"
    (place / "within").mkdir(parents=True)
    (place / ".hidden").mkdir()
    for number, face in enumerate(render(sample_prior(3, seed=0, split="train"), size=32)):
        image = Image.fromarray(face.permute(1, 2, 0).contiguous().numpy())
        image.save(place / f"{'cab'[number]}.png")
        image.save(place / ".hidden" / f"{number}.png")
    image.save(place / "within" / "upper.PNG")
    (place / "broken.jpg").write_bytes(b"no picture")
    (place / "metadata.csv").touch()
    (place / "README").touch()
    return place


def ask(*words: object) -> tuple[int, list[str], list[str]]:
    """Exit code of predict.py, and the lines on standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(load_script("predict").predict, [str(word) for word in words])
    return code, out.getvalue().splitlines(), err.getvalue().splitlines()


def test_a_folders_pictures_are_asked_about_in_order(run: Path, folder: Path) -> None:
    files, others = find_pictures([folder])
    names = ["a.png", "b.png", "broken.jpg", "c.png", "within/upper.PNG"]
    assert files == [folder / name for name in names]
    assert others == {".csv": 1, "": 1}
    code, lines, errors = ask(run, folder, folder / "a.png")
    assert code == 2, "one could not be read"
    *answers, total = lines
    read = [*(name for name in names if name != "broken.jpg"), "a.png"]
    assert [line.partition(": ")[0] for line in answers] == [str(folder / name) for name in read]
    assert total.startswith("5 pictures: ")
    assert len(errors) == 2
    assert sum("broken.jpg" in line for line in errors) == 1
    assert sum(".csv" in line and "2 files" in line for line in errors) == 1
    assert ask(run, folder / "a.png")[0] == 0


def test_answers_are_those_of_the_network(run: Path, folder: Path, tmp_path: Path) -> None:
    _, model, *_ = open_run(run)
    code, _, _ = ask(run, folder, "--csv", tmp_path / "answers.csv")
    assert code == 2
    text = (tmp_path / "answers.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["picture"] for row in rows] == [str(path) for path in find_pictures([folder])[0]]
    for row in rows:
        if row["error"]:
            assert row["picture"].endswith("broken.jpg")
            assert row["answer"] == row[CLASSES[0]] == ""
            continue
        pixels = read_picture(Path(row["picture"]), size=32).pixels
        chances = predict(model, pixels[None]).softmax(dim=1)[0]
        told = torch.tensor([float(row[name]) for name in CLASSES])
        torch.testing.assert_close(told, chances)
        assert row["answer"] == CLASSES[int(chances.argmax())]


def test_what_was_seen_is_told(run: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 100, 3)).astype(np.uint8)
    shapes = {
        "wide": pixels, "tall": pixels.swapaxes(0, 1), "square": pixels[:, :40],
        "nearly": pixels[:, :41], "plain": pixels[:40, :40] // 64,
    }  # fmt: skip
    for name, shown in shapes.items():
        Image.fromarray(np.ascontiguousarray(shown)).save(tmp_path / f"{name}.png")
    code, lines, errors = ask(run, tmp_path)
    assert code == 0
    assert errors == []
    said = {Path(line.partition(":")[0]).stem: line for line in lines[:-1]}
    assert "middle square, 40 x 40 of 100 x 40" in said["wide"]
    assert "middle square, 40 x 40 of 40 x 100" in said["tall"]
    assert "(" not in said["square"] + said["nearly"]
    assert "one color" in said["plain"]


def test_a_contact_sheet_is_taken_as_one_picture_with_a_word_only(
    run: Path, tmp_path: Path
) -> None:
    faces = render(sample_prior(16, seed=0, split="train"), size=64)
    sheet = make_grid(faces, nrow=4, padding=3, pad_value=255).permute(1, 2, 0).numpy()
    path = tmp_path / "sheet.png"
    Image.fromarray(sheet).save(path)
    for number, face in enumerate(faces):
        Image.fromarray(face.permute(1, 2, 0).contiguous().numpy()).save(
            tmp_path / f"{number:02}.png"
        )
    code, lines, errors = ask(run, path)
    assert code == 0
    assert len(lines) == 1
    assert len(errors) == 1
    assert "16" in errors[0]
    assert "--sheets" in errors[0]

    code, lines, errors = ask(run, path, "--sheets", "--show", tmp_path / "shown.PNG")
    assert (code, errors) == (0, [])
    single = ask(run, *(tmp_path / f"{number:02}.png" for number in range(16)))[1]
    assert [line.rpartition(": ")[2] for line in lines] == [
        line.rpartition(": ")[2] for line in single
    ]
    shown = np.asarray(Image.open(tmp_path / "shown.PNG").convert("RGB"))
    first = np.asarray(read_picture(tmp_path / "00.png", size=32).pixels.permute(1, 2, 0))
    large = first.repeat(3, axis=0).repeat(3, axis=1)
    places = np.lib.stride_tricks.sliding_window_view(shown[:140, :140], large.shape)[
        ..., 0, :, :, :
    ]
    assert (places == large).all(axis=(2, 3, 4)).any(), (
        "what the network sees, three times as large"
    )

    code, lines, errors = ask(run, tmp_path / "00.png", "--sheets")
    assert (code, lines, len(errors)) == (2, [], 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "at least one"),
        (["none.png"], "none.png"),
        (["circle.png"], "in a circle"),
        (["empty"], "empty"),
        (["a.png", "--csv", "nowhere/x.csv"], "--csv nowhere/x.csv"),
        (["a.png", "--show", "empty"], "--show empty"),
        (["a.png", "--csv", "x", "--show", "./x"], "--csv and --show both name x"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    run: Path, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle.png").symlink_to("circle.png")
    code, lines, errors = ask(run, *words)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert told in errors[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "circle.png", "empty"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.parametrize("flag", ["--csv", "--show"])
def test_what_is_no_file_is_not_replaced_by_one(run: Path, flag: str, tmp_path: Path) -> None:
    """A pipe, or a device such as /dev/null."""
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    code, lines, errors = ask(run, tmp_path / "a.png", flag, tmp_path / "pipe")
    assert (code, lines, len(errors)) == (2, [], 1)
    assert f"{flag} {tmp_path / 'pipe'}: it must be a file" in errors[0]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a.png {run}", "{run} is: name the run first"),
        (". {run} a.png", "{run} is: name the run first"),
        ("a.png a.png", "a.png is no run's folder: it is a file"),
        ("{run}/config.json a.png", "did you mean {run}?"),
        ("{run}/checkpoints/last.pt a.png", "did you mean {run}?"),
        ("circle a.png", "circle is no run's folder: its symbolic links lead in a circle"),
        ("dangling a.png", "dangling is no run's folder: it is a symbolic link to nowhere"),
    ],
)
def test_what_is_no_run_is_told_by_what_it_is(
    run: Path, words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dangling").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    code, lines, errors = ask(*words.format(run=run).split())
    assert (code, lines, len(errors)) == (2, [], 1)
    assert told.format(run=run) in errors[0]


def test_an_answer_that_is_not_a_number_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (answer,) = predictions(
        [tmp_path / "a.png"], lambda images: torch.full((len(images), 2), torch.nan),
        classes=CLASSES, size=32,
    )  # fmt: skip
    assert answer.answer == ""
    assert "a.png" in answer.seen.error


SOFT = """
from torch import nn

def soft(spec):
    size = 3 * spec.image_size**2
    return nn.Sequential(nn.Flatten(), nn.Linear(size, spec.num_outputs), nn.Softmax(1))

def sigmoid(spec):
    return nn.Sequential(*soft(spec)[:-1], nn.Sigmoid())
"""


@pytest.mark.parametrize("name", ["soft", "sigmoid"])
def test_that_a_network_returns_probabilities_is_said_later_too(
    name: str, run: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "soft.py").write_text(SOFT)
    soft = tiny(tmp_path / "runs", model=f"{tmp_path / 'soft.py'}:{name}", steps=3)
    with contextlib.redirect_stdout(io.StringIO()):
        named = start(soft).folder
    told = "the network returns probabilities, which are taken for logits"
    for asked, said in ((named, True), (run, False)):
        _, _, errors = ask(asked, folder / "a.png", folder / "b.png")
        assert any(told in line for line in errors) is said
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main(load_script("evaluate").evaluate, [str(asked), "--counterfactuals", "0"])
        assert code == 0
        assert (told in " ".join(out.getvalue().split())) is said


@pytest.mark.parametrize(
    "logits", [(0.0, 0.0, 0.0), (1.0, 2.0, 2.0), (0.1, 0.1 + 1e-8, 0.0), (-30.0, 5e-8, 1e-7)]
)
def test_of_equal_probabilities_the_answer_is_that_of_the_logits(
    tmp_path: Path, logits: tuple[float, ...]
) -> None:
    """As accuracy, the verdict and the tab Faces count it: the first of the largest logits."""
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    told = torch.tensor([logits])
    (found,) = predictions(
        [tmp_path / "a.png"], lambda images: told, classes=("a", "b", "c"), size=32
    )
    assert found.answer == "abc"[int(told.argmax())]
    assert found.chances == dict(zip("abc", told.softmax(dim=1)[0].tolist(), strict=True))


def test_pictures_behind_a_link_are_asked_about_as_they_are_trained_on(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "class").symlink_to(folder / "within")
    (tmp_path / "album" / "same").symlink_to(folder / "within")
    (folder / "within" / "back").symlink_to(tmp_path / "album")
    files, _ = find_pictures([tmp_path / "album"])
    assert files == [tmp_path / "album" / "class" / "upper.PNG"]  # each folder once


def captions(*names: str) -> list[np.ndarray]:
    """The captions in a sheet of equal pictures of these files with equal answers, each as the
    pixels that are ink; there are at most three."""
    pixels = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    answers = [Prediction(Seen(path=Path(name), pixels=pixels), {"cat": 1.0}) for name in names]
    sheet = to_sheet(answers, run="run")[TITLE + MARGIN + FACE :]
    width = WIDTH // 3
    return [sheet[:, k * width : (k + 1) * width].min(axis=2) < 128 for k in range(len(names))]


def test_files_of_equal_names_are_told_apart_in_a_sheet() -> None:
    folder = "photographs_of_a_long_journey_in_"
    for names in (
        ("engraving/0.png", "painting/0.png"),
        ("0.png", "painting/0.png"),
        ("a/x/0.png", "b/x/0.png", "b/y/0.png"),
        (f"{folder}spring/0.png", f"{folder}autumn/0.png"),
        (f"spring_{folder}/0.png", f"autumn_{folder}/0.png"),
        (f"a/{folder * 9}/0.png", f"b/{folder * 9}/0.png"),
    ):
        shown = captions(*names)
        for k, each in enumerate(shown):
            assert not any(np.array_equal(each, other) for other in shown[k + 1 :]), names
            assert not each[:, -1].any(), "nothing is cut off at the side"
        assert len(shown[0]) < 10 * LINE


def test_files_of_other_names_are_called_by_these_alone() -> None:
    pixels = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    paths = [Path("engraving/0.png"), Path("painting/1.png"), Path("painting/1.png")]
    answers = [Prediction(Seen(path=path, pixels=pixels), {"cat": 1.0}) for path in paths]
    cells = [Cell(pixels, [(path.name, INK), ("100 % cat", INK)], INK) for path in paths]
    assert np.array_equal(to_sheet(answers, run="run"), draw_sheet("What run saw", cells))
    broken = Prediction(Seen(path=Path("painting/0.png"), error="damaged"), {})
    assert np.array_equal(to_sheet([*answers, broken], run="run"), to_sheet(answers, run="run"))
