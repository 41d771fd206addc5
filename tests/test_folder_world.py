"""A folder of pictures as a world: its classes, splits, version, and what it refuses."""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import ImageFolder

from lab.core.config import DataConfig
from lab.core.pictures import read_picture
from lab.runs.resolve import resolve
from lab.runs.verdict_setting import verdict_setting
from lab.worlds import FolderWorld, classes_of, open_world, world_version
from support.configs import tiny
from support.picture_folders import fill


def opened(place: Path, *, seed: int = 0, **settings: object) -> FolderWorld:
    data = DataConfig(**{"data": str(place), "image_size": 16, **settings})  # type: ignore[arg-type]
    world = open_world(data, seed=seed)
    assert isinstance(world, FolderWorld)
    return world


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Thirty cats and thirty dogs; odd things beside them that are no pictures of either."""
    fill(tmp_path / "pets" / "cat", 20)
    fill(tmp_path / "pets" / "cat" / "indoors", 10)
    fill(tmp_path / "pets" / "dog", 30, shade=100)
    (tmp_path / "pets" / "notes.txt").write_text("mine")
    (tmp_path / "pets" / "cat" / "list.csv").write_text("mine")
    fill(tmp_path / "pets" / ".hidden", 2)
    (tmp_path / "pets" / "__MACOSX" / "cat").mkdir(parents=True)  # which zips of macOS have beside
    fill(tmp_path / "pets" / "dog" / ".thumbnails", 2)
    (tmp_path / "pets" / "dog" / "._000.png").write_bytes(b"resource fork")
    return tmp_path / "pets"


def test_an_empty_path_is_not_the_current_folder(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets)
    assert opened(Path(".")).classes == ("cat", "dog")
    with pytest.raises(ValueError, match=r"--data needs the path .* empty"):
        open_world(DataConfig(data=""))


def test_classes_and_labels_are_those_of_image_folder(pets: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for name, count in (("b", 4), ("a", 5), ("c d", 3)):
        fill(plain / name, count)
    world = opened(plain)
    theirs = ImageFolder(str(plain))
    assert list(world.classes) == theirs.classes
    known = {
        read_picture(Path(path), size=16).pixels.numpy().tobytes(): label
        for path, label in theirs.samples
    }
    for split in ("train", "test"):
        examples = world.load(split, world.available(split))
        for image, label in zip(examples.images, examples.labels.tolist(), strict=True):
            assert known.pop(image.numpy().tobytes()) == label
    assert not known, "every picture is in one of the sets, once"
    assert opened(pets).classes == classes_of(DataConfig(data=str(pets))) == ("cat", "dog")


def test_without_folders_for_them_sets_are_split_in_each_class_by_the_seed(pets: Path) -> None:
    world = opened(pets)
    assert (world.data.num_train, world.data.num_test) == (48, 12)
    train, test = world.load("train", 48), world.load("test", 12)
    assert train.labels.sum() == 24
    assert test.labels.sum() == 6
    again, other = opened(pets).load("test", 12), opened(pets, seed=1).load("test", 12)
    assert torch.equal(test.images, again.images)
    assert not torch.equal(test.images, other.images)


def test_training_sets_nest_are_balanced_and_leave_the_rest_for_validation(pets: Path) -> None:
    large = opened(pets).load("train", 48)
    small = opened(pets, num_train=10)
    train = small.load("train", 10)
    assert torch.equal(train.images, large.images[:10])
    for count in range(1, 11):
        assert abs(2 * int(train.labels[:count].sum()) - count) <= 1
    assert small.available("validation") == 38
    rest = small.load("validation", 38)
    everyone = torch.cat([train.images, rest.images, small.load("test", 12).images]).flatten(1)
    assert len(everyone.unique(dim=0)) == 60
    parts = torch.cat([batch.images for batch in small.batches("train", 10, 3)])
    assert torch.equal(parts, train.images)
    kept = small.load("train", 10, keep=torch.tensor([7, 2]))
    assert torch.equal(kept.images, train.images[[7, 2]])


def test_folders_for_training_and_test_are_taken_as_they_are(tmp_path: Path) -> None:
    for split, count in (("train", 7), ("test", 3)):
        for name in ("x", "y"):
            fill(tmp_path / split / name, count)
    world = opened(tmp_path)
    assert (world.data.num_train, world.data.num_test) == (14, 6)
    assert world.classes == classes_of(DataConfig(data=str(tmp_path))) == ("x", "y")
    assert opened(tmp_path, num_train=4, num_test=2).data.num_test == 2
    images = world.load("test", 6).images.flatten(1)
    files = [read_picture(p, size=16).pixels.flatten() for p in (tmp_path / "test").rglob("*.png")]
    assert {row.numpy().tobytes() for row in images} == {f.numpy().tobytes() for f in files}


def test_label_noise_is_for_training_alone_and_nests(pets: Path) -> None:
    noisy = opened(pets, label_noise=0.5, label_noise_kind="flip")
    train, test = noisy.load("train", 48), noisy.load("test", 12)
    assert 8 < int(train.mislabeled.sum()) < 40
    assert not test.mislabeled.any()
    assert torch.equal(train.clean_labels, opened(pets).load("train", 48).labels)


def test_the_version_is_that_of_the_files_wherever_they_lie(pets: Path, tmp_path: Path) -> None:
    version = world_version(DataConfig(data=str(pets)))
    assert version == opened(pets, seed=5, num_train=7).version
    moved = pets.rename(tmp_path / "elsewhere")
    assert world_version(DataConfig(data=str(moved))) == version
    (moved / "notes.txt").write_text("other")
    assert world_version(DataConfig(data=str(moved))) == version, "that is no picture"
    fill(moved / "cat", 1, shade=90)
    assert world_version(DataConfig(data=str(moved))) != version


def test_links_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "store" / "old", 3)
    fill(tmp_path / "pets" / "cat", 3)
    fill(tmp_path / "pets" / "dog", 3, shade=90)
    (tmp_path / "pets" / "cat" / "more").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "back").symlink_to(tmp_path / "store")
    world = opened(tmp_path / "pets")
    assert world.data.num_train + world.data.num_test == 9


def test_uneven_classes_are_told(tmp_path: Path) -> None:
    fill(tmp_path / "rare", 5)
    fill(tmp_path / "usual", 40)
    told = opened(tmp_path).doubts()
    assert len(told) == 3
    assert all("usual" in line and "rare" in line for line in told)


def test_a_class_with_few_test_pictures_is_told(tmp_path: Path) -> None:
    for name, count in (("a", 45), ("b", 50), ("c", 50)):
        fill(tmp_path / name, count)
    (told,) = opened(tmp_path).doubts()
    assert "fewer than 10 test pictures" in told
    assert told.endswith(": 9 a.")
    fill(tmp_path / "a", 50)
    assert opened(tmp_path).doubts() == []
    (told,) = opened(tmp_path, num_test=27).doubts()
    assert told.endswith(": 9 a, 9 b, 9 c.")


def test_fewer_pictures_have_the_classes_in_the_proportions_of_all(tmp_path: Path) -> None:
    """Or training and test set would be of different distributions, and no gap or membership AUC
    between them would mean anything."""
    for name, count in (("rare", 10), ("some", 30), ("usual", 60)):
        fill(tmp_path / name, count)
    world = opened(tmp_path)
    for files in (world.pool, world.tested):
        labels = np.array([label for _, label in files])
        shares = np.bincount(labels) / len(labels)
        assert np.allclose(shares, [0.1, 0.3, 0.6])
        for count in range(1, len(labels) + 1):
            found = np.bincount(labels[:count], minlength=3)
            assert np.abs(found - count * shares).max() <= 1
    few = opened(tmp_path, num_train=20, num_test=10)
    assert few.load("train", 20).labels.bincount().tolist() == [2, 6, 12]
    assert few.load("test", 10).labels.bincount().tolist() == [1, 3, 6]


def one_class(place: Path) -> None:
    fill(place / "only", 4)


def one_picture(place: Path) -> None:
    fill(place / "many", 4)
    fill(place / "one", 1)


def empty_class(place: Path) -> None:
    fill(place / "full", 4)
    (place / "void").mkdir()


def no_test(place: Path) -> None:
    for name in ("x", "y"):
        fill(place / "train" / name, 3)


def other_classes(place: Path) -> None:
    for split, names in (("train", "xy"), ("test", "xz")):
        for name in names:
            fill(place / split / name, 3)


def of_sets(*names: str, inside: str = "") -> Callable[[Path], object]:
    """A folder with subfolders called so, with pictures, or with a class in each."""

    def make(place: Path) -> None:
        for name in names:
            fill(place / name / inside, 3)

    return make


def nested(**inner: str) -> Callable[[Path], object]:
    """A folder with subfolders called so, and in each the folders that are named."""

    def make(place: Path) -> None:
        for name, within in inner.items():
            for each in within.split():
                fill(place / name / each, 3)

    return make


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (nested(fold_0="a b", fold_1="a b", fold_2="a b"), "fold_0, fold_1, fold_2 all hold the"),
        (nested(fold_0="0 1", fold_1="0 1"), "fold_0, fold_1 all hold the same folders 0, 1, so"),
        (nested(fold_0="a b c", fold_1="a b"), "fold_0, fold_1 all hold folders a, b, so that"),
        (nested(images_train="a b", images_test="a b"), "images_test, images_train are names of s"),
        (nested(entrenamiento="0 1", prueba="0 1"), "entrenamiento, prueba are names of sets"),
        (nested(train_a="a b", train_b="a b"), "train_a, train_b all hold the same"),
        (of_sets("seg_pred", "seg_test", "seg_train"), "seg_test, seg_train are names of sets"),
        (of_sets("seg_test", "seg_train", inside="seg/sea"), "seg_test, seg_train are names of s"),
        (of_sets("TrainCropped", "ValCropped", "other"), "TrainCropped, ValCropped are names of"),
        (of_sets("my test set", "my-training", "my_val"), "my test set, my-training, my_val are n"),
        (of_sets("flor_prueba", "flor_treino"), "flor_prueba, flor_treino are names of sets"),
        (nested(zero="a_train a_test", one="x y"), "zero holds folders for sets, a_test, a_train"),
        (nested(photo="dog cat", sketch="dog cat"), "photo, sketch all hold .* cat, dog, so that"),
        (nested(zero="train test", one="train test"), "one holds folders for sets, test, train: "),
        (nested(zero="Training Validation", one="x y"), "zero holds folders for sets, Training, V"),
        (of_sets("Test", "Train", inside="cat"), "Test, Train are names of sets, not of classes"),
        (of_sets("test", "train"), "are names of sets.*: both need a subfolder for each"),
        (of_sets("test", "val", inside="cat"), "test, val are names of sets"),
        (of_sets("test_set", "training_set"), "test_set, training_set are names of sets"),
        (of_sets("test1", "train"), "test1, train are names of sets"),
        (lambda place: None, "there is no such folder"),
        (lambda place: place.write_text("x"), r"is no folder, and no \.npz file with .* x and"),
        (lambda place: place.mkdir(), "two or more subfolders .* it has none"),
        (lambda place: fill(place, 3), "two or more subfolders .* it has none"),
        (one_class, "two or more subfolders .* it has only 'only'"),
        (one_picture, "the class 'one' has one picture"),
        (empty_class, "void: there is no picture in this folder"),
        (no_test, "a folder train/ but no test/"),
        (other_classes, "must have the same classes, but 'y'"),
    ],
)
def test_an_odd_folder_is_refused_in_one_line(
    make: Callable[[Path], object], line: str, tmp_path: Path
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(ValueError, match=line) as caught:
        opened(tmp_path / "odd")
    assert str(caught.value).startswith("--data ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nested(cat="patient_1 patient_2", dog="patient_1 patient_2"), True),
        (nested(cat="2023 2024-05", dog="2023 2024-05"), True),
        (nested(cat="indoors outdoors", dog="outdoors"), False),
        (nested(cat="ann bob", dog="eve joe"), False),
        (nested(cat="images", dog="images"), False),
        (nested(set_a="x", set_b="y"), False),
        (nested(cat="test", dog="train"), False),
        (nested(round_leaf="2023 2024", oval_leaf="2023 2024"), True),
        (of_sets("set_a", "set_b"), False),
        (of_sets("fold", "tear"), False),
    ],
)
def test_pictures_of_a_class_may_lie_in_folders_within(
    make: Callable[[Path], object], said: bool, tmp_path: Path
) -> None:
    make(tmp_path / "pets")
    world = opened(tmp_path / "pets")
    assert set(world.classes) == {each.name for each in (tmp_path / "pets").iterdir()}
    assert len(world.pool) + len(world.tested) == len(list(tmp_path.rglob("*.png")))
    assert any("are taken for the classes" in line for line in world.left_out()) == said


def test_classes_in_train_and_test_may_hold_the_same_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        nested(cat="indoors outdoors", dog="indoors outdoors")(tmp_path / split)
    world = opened(tmp_path)
    assert world.classes == ("cat", "dog")
    assert not world.left_out()


def test_pictures_beside_folders_that_are_alike_make_them_classes(tmp_path: Path) -> None:
    nested(cat="indoors outdoors", dog="indoors outdoors")(tmp_path)
    fill(tmp_path / "cat", 2)
    assert opened(tmp_path).classes == ("cat", "dog")


def test_a_vehicle_may_be_called_train(tmp_path: Path) -> None:
    for name in ("car", "plane", "train"):
        fill(tmp_path / name, 3)
    world = opened(tmp_path)
    assert world.classes == ("car", "plane", "train")
    assert not any("left out" in line for line in world.doubts())


@pytest.mark.parametrize(
    "names",
    [
        ("bus", "plane", "test_tube", "train", "train_station"),
        ("model_plane", "model_train", "toy_plane", "toy_train"),
        ("steam_train", "test"),
        ("model train", "pregnancy test"),
        ("retrain", "retest"),
        ("seg_pred", "seg_train"),
        ("eye_test", "hearing_test", "train"),
        ("test_train", "train_test"),
    ],
)
def test_classes_may_be_called_by_words_that_name_sets_elsewhere(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    of_sets(*names)(tmp_path)
    assert set(opened(tmp_path).classes) == set(names)


@pytest.mark.parametrize("split", [False, True])
def test_pictures_beside_the_classes_are_told(split: bool, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for part in ("train", "test") if split else (".",):
            fill(tmp_path / part / name, 20)
    place = tmp_path / "train" if split else tmp_path
    source = next((place / "cat").iterdir())
    for name in ("b.png", "a.png", ".hidden.png"):
        (place / name).write_bytes(source.read_bytes())
    world = opened(tmp_path)
    (told,) = [line for line in world.doubts() if "left out" in line]
    assert "beside the folders of the classes" in told
    assert f"2, {'train/' * split}a.png the first" in told


def test_what_is_left_out_is_told(pets: Path, tmp_path: Path) -> None:
    told, _ = opened(pets).doubts()
    assert told.startswith("1 file of")
    assert ".csv" in told
    for number in range(5):
        (pets / "dog" / f"{number:03}.png").rename(pets / "dog" / f"{number:03}.heic")
    told, _ = opened(pets).doubts()
    assert told.startswith("6 files")
    assert ".csv, .heic" in told
    for split in ("train", "test", "val"):
        for name in ("x", "y"):
            fill(tmp_path / "sets" / split / name, 3)
    told, _ = opened(tmp_path / "sets").doubts()
    assert told.startswith("val/ in ")


def test_one_file_that_is_left_out_is_spoken_of_as_one(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / name, 5)
    (tmp_path / "cat" / "a.txt").write_text("mine")
    assert opened(tmp_path).left_out() == [
        "1 file of the classes is left out, since it is no picture by its ending: .txt."
    ]
    (tmp_path / "dog" / "LICENSE").write_text("mine")
    assert opened(tmp_path).left_out() == [
        "1 file of the classes is left out, since it has no ending that tells a picture, such as"
        " .png.",
        "1 file of the classes is left out, since it is no picture by its ending: .txt.",
    ]
    (tmp_path / "dog" / "LICENSE").unlink()
    (tmp_path / "dog" / "b.txt").write_text("mine")
    assert opened(tmp_path).left_out() == [
        "2 files of the classes are left out, since they are no pictures by their ending: .txt."
    ]


def test_names_of_classes_are_different_texts(tmp_path: Path) -> None:
    for split, form in (("train", "NFC"), ("test", "NFD")):
        for name in ("café", "cafz", "b"):
            fill(tmp_path / "accents" / split / unicodedata.normalize(form, name), 2)
    world = opened(tmp_path / "accents")
    assert world.classes == ("b", "cafz", "café")
    assert classes_of(world.data) == world.classes
    for split in ("train", "test"):
        for path, label in {"train": world.pool, "test": world.tested}[split]:
            assert unicodedata.normalize("NFC", path.parent.name) == world.classes[label]
    for number, names in enumerate((("a b", "a  b"), ("x", os.fsdecode(b"\xff\xfe")))):
        for name in names:
            fill(tmp_path / str(number) / name, 3)
        for ask in (opened, lambda place: classes_of(DataConfig(data=str(place)))):
            with pytest.raises(ValueError, match=r"look the same|can be shown") as caught:
                ask(tmp_path / str(number))
            assert repr(names[1]) in str(caught.value)


def test_pictures_that_are_read_ahead_are_the_same(pets: Path) -> None:
    world, other = opened(pets, num_train=9), opened(pets, num_train=9)
    world.read_ahead(train=9, test=4, validation=3)
    (pets / "cat").rename(pets.parent / "away")
    ahead = {split: world.load(split, n) for split, n in (("train", 9), ("test", 4))}
    (pets.parent / "away").rename(pets / "cat")
    for split, examples in ahead.items():
        again = other.load(split, len(examples.labels))
        assert torch.equal(examples.images, again.images)
        assert torch.equal(examples.labels, again.labels)
    assert torch.equal(world.load("train", 9).images, other.load("train", 9).images)


def test_a_damaged_picture_is_named_when_it_is_needed(pets: Path) -> None:
    (pets / "cat" / "000.png").write_bytes(b"no picture")
    world = opened(pets)
    damaged = (pets / "cat" / "000.png").resolve()
    split = "train" if damaged in {path for path, _ in world.pool} else "test"
    with pytest.raises(ValueError, match=r"cat/000\.png: cannot be read as a picture") as caught:
        world.load(split, world.available(split))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"task": "smiling"}, "--task"),
        ({"cues": ("eye_color:0.9",)}, "--cues"),
        ({"subpopulations": ("missing",)}, "--subpopulations"),
        ({"missing": ("nose",)}, "--missing"),
        ({"unseen_combinations": ("gaze=left,smile=up",)}, "--unseen-combinations"),
        ({"variation": 0.5}, "--variation"),
    ],
)
def test_settings_about_drawings_are_refused(
    settings: dict[str, object], flag: str, pets: Path
) -> None:
    with pytest.raises(ValueError, match=f"^{flag} is about drawn pictures, and --data"):
        opened(pets, **settings)


def test_what_it_does_not_have_is_refused(pets: Path) -> None:
    world = opened(pets)
    for split, count, line in (
        ("tain", 1, "did you mean 'train'"),
        ("twins", 1, "not 'twins': its pictures are not drawn"),
        ("train", 49, r"48 pictures \(num_train\), 49 were asked"),
        ("test", 13, "12 pictures for the split 'test'; 13"),
    ):
        with pytest.raises(ValueError, match=line):
            world.load(split, count)


def test_the_share_of_the_most_frequent_class_is_that_of_the_test_set(tmp_path: Path) -> None:
    for name, count in (("rare", 5), ("usual", 40)):
        fill(tmp_path / name, count)
    for count in (2, 3, 9):
        world = opened(tmp_path, num_test=count)
        labels = world.load("test", count).labels
        assert world.majority == int(labels.bincount().max()) / count
        name, share = world.most_frequent
        assert share == int((labels == world.names.index(name)).sum()) / count == world.majority


def test_pictures_for_validation_are_none_for_more_training(tmp_path: Path) -> None:
    """The advice asks for no more than there are."""
    for name in "ab":
        fill(tmp_path / "photos" / name, 30)
    asked = tiny(
        tmp_path, data=str(tmp_path / "photos"), num_train=20, num_test=10, num_validation=12
    )
    for config, more in (
        (asked, 60 - 12 - 20 - 12),  # a fifth of the pictures is for the test
        (replace(asked, train=replace(asked.train, num_validation=None)), 60 - 12 - 20),
    ):
        run = resolve(config)
        train = run.world.load("train", 20)
        assert verdict_setting(run, train, steps=3).more_train == more


@pytest.mark.parametrize(
    ("sets", "out", "fits"),
    [
        (False, "runs", False),
        (False, "cat/runs", False),
        (False, "../runs", True),
        (False, ".runs", True),
        (True, "runs", True),
        (True, "train/cat/runs", False),
    ],
)
def test_runs_among_the_pictures_are_refused(
    sets: bool, out: str, fits: bool, tmp_path: Path
) -> None:
    """Their own pictures would be ones of a class, from the second run on."""
    own = tmp_path / "own"
    for part in ("train", "test") if sets else ("",):
        for name in ("cat", "dog"):
            fill(own / part / name, 10)
    config = replace(tiny(own / out, num_train=8, num_test=2), out=own / out)
    config = replace(config, data=replace(config.data, data=str(own)))
    if fits:
        resolve(config)
        return
    with pytest.raises(ValueError, match=r"--out .* lies in --data .*: pictures that are written"):
        resolve(config)


def test_neither_may_runs_lie_where_a_link_leads(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "store" / name, 10)
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / name).symlink_to(tmp_path / "store" / name)
    config = tiny(tmp_path / "runs", num_train=8, num_test=2, data=str(tmp_path / "own"))
    resolve(config)
    with pytest.raises(ValueError, match="would become pictures of a class"):
        resolve(replace(config, out=tmp_path / "store" / "cat" / "runs"))
