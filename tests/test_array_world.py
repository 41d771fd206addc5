"""Arrays of pictures in an .npz file as a world: the same as a folder of them, and as strict."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, random_split

from lab import watch
from lab.core.config import DataConfig
from lab.core.run_dir import RunDir
from lab.runs.train import start
from lab.worlds import ArrayWorld, classes_of, open_world, save_npz, world_version
from lab.worlds.datasets import known_classes
from support.configs import tiny
from support.scripts import is_a_good_line, is_refused, load_script, told

Arrays = dict[str, Any]


def arrays(count: int = 30, side: int = 20) -> Arrays:
    """Pictures of two classes in turn."""
    random = np.random.default_rng(0)
    y = np.arange(count) % 2
    x = random.integers(0, 100, (count, side, side, 3)) + 100 * y[:, None, None, None]
    return {"x": x.astype(np.uint8), "y": y}


def opened(path: Path, *, seed: int = 0, **settings: Any) -> ArrayWorld:
    world = open_world(DataConfig(**{"data": str(path), "image_size": 16, **settings}), seed=seed)
    assert isinstance(world, ArrayWorld)
    return world


def saved(place: Path, **changes: Any) -> Path:
    path = place / "photos.npz"
    np.savez(path, **{k: v for k, v in {**arrays(), **changes}.items() if v is not None})
    return path


@pytest.mark.parametrize("size", [16, 20])
@pytest.mark.parametrize("resize", ["crop", "letterbox", "stretch"])
def test_a_file_gives_what_a_folder_of_the_same_pictures_gives(
    size: int, resize: str, tmp_path: Path
) -> None:
    made = arrays(side=20)
    made["x"] = made["x"][:, :, :14]  # not square
    for i, (pixels, label) in enumerate(zip(made["x"], made["y"], strict=True)):
        place = tmp_path / "folder" / "ab"[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{i:03}.png")
    path = saved(tmp_path, **made, class_names=np.array(["a", "b"]))
    settings: Any = {"image_size": size, "num_train": 10, "resize": resize}
    for seed in (0, 1):
        world = opened(path, seed=seed, **settings)
        folder = open_world(DataConfig(data=str(tmp_path / "folder"), **settings), seed=seed)
        assert world.classes == folder.classes
        for split, count in (("train", 10), ("validation", 5), ("test", 6)):
            mine, theirs = world.load(split, count), folder.load(split, count)
            assert torch.equal(mine.images, theirs.images)
            assert torch.equal(mine.labels, theirs.labels)


def test_every_allowed_form_is_the_same_pictures(tmp_path: Path) -> None:
    made = arrays(side=16)
    gray = made["x"][..., 0]
    x = np.repeat(gray[..., None], 3, axis=3)
    wanted = opened(saved(tmp_path, x=x)).load("train", 24)
    for form in (
        gray, gray[..., None], gray[:, None], x.transpose(0, 3, 1, 2), np.asfortranarray(x),
        x / 255, (x / 255).astype(np.float32), (x / 255).astype(">f8"),
    ):  # fmt: skip
        found = opened(saved(tmp_path, x=form)).load("train", 24)
        assert torch.equal(found.images, wanted.images)
        assert torch.equal(found.labels, wanted.labels)


def test_labels_are_numbers_or_texts_with_names(tmp_path: Path) -> None:
    y = arrays()["y"]
    assert opened(saved(tmp_path, y=7 - 5 * y)).classes == ("2", "7")
    assert opened(saved(tmp_path, y=y[:, None].astype(np.uint8))).classes == ("0", "1")
    for texts in (np.array(["dog", "cat"])[y], np.array([b"dog", b"cat"])[y]):
        world = opened(saved(tmp_path, y=texts))
        assert world.classes == classes_of(world.data) == ("cat", "dog")
    named = opened(saved(tmp_path, class_names=np.array(["zebra", "ape"])))
    assert named.classes == ("zebra", "ape")
    assert (
        named.load("train", 24).labels.tolist()
        == opened(saved(tmp_path)).load("train", 24).labels.tolist()
    )


def test_given_test_pictures_are_the_test_set(tmp_path: Path) -> None:
    other = arrays(8)
    world = opened(saved(tmp_path, x_test=255 - other["x"], y_test=other["y"]))
    assert (world.data.num_train, world.data.num_test) == (30, 8)
    assert {world.name("test", i) for i in range(8)} == {f"x_test[{i}]" for i in range(8)}
    assert {world.name("train", i) for i in range(30)} == {f"x[{i}]" for i in range(30)}
    identities = [world.load(split, 8).samples.identity for split in ("train", "test")]
    assert len(torch.cat(identities).unique()) == 16


def test_the_version_is_that_of_the_contents(tmp_path: Path) -> None:
    data = DataConfig(data=str(saved(tmp_path)))
    version = world_version(data)
    np.savez_compressed(tmp_path / "photos.npz", **arrays(), other=np.zeros(3))
    assert world_version(data) == version, "what is stored otherwise, or is not used, is no matter"
    x = arrays()["x"]
    x[3, 0, 0, 0] += 1
    for changes in (
        {"x": x}, {"y": 1 - arrays()["y"]}, {"class_names": np.array(["a", "b"])},
        {"x_test": x, "y_test": arrays()["y"]},
    ):  # fmt: skip
        saved(tmp_path, **changes)
        assert world_version(data) != version
    saved(tmp_path)
    for resize in ("letterbox", "stretch"):
        assert world_version(DataConfig(data=data.data, resize=resize)) != version  # type: ignore[arg-type]


class Trap:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.mkdir, (self.place,))


X, Y = arrays()["x"], arrays()["y"]
ODD: list[tuple[Arrays, str]] = [
    ({"x": None}, "there is no array 'x' in it, but y"),
    ({"y": None}, "there is no array 'y'"),
    ({"x_test": X}, "x_test and y_test belong together"),
    ({"X_test": X, "Y_test": Y}, "'X_test' in it is not read; did you mean 'x_test'?"),
    ({"x": None, "X": X}, "did you mean 'x'?"),
    ({"Class_Names": np.array(["a", "b"])}, "did you mean 'class_names'?"),
    ({"y_test": Y}, "x_test and y_test belong together"),
    ({"x": X[:, 0, 0]}, r"x must be N x H x W.* not 30 x 3"),
    ({"x": X[..., :2]}, "not 30 x 20 x 20 x 2"),
    ({"x": X[:, :3]}, "unclear which axis"),
    ({"x": X[:20]}, "20 pictures, and y has 30 labels"),
    ({"x": X.astype(np.int32)}, "not int32"),
    ({"x": X.astype(bool)}, "not bool"),
    ({"x": X.astype(complex)}, "not complex128"),
    ({"x": X.astype(object)}, "x holds Python objects"),
    ({"y": Y.astype(object)}, "y holds Python objects"),
    ({"y": Y / 1}, "y must be whole numbers or texts, not float64"),
    ({"y": np.stack([Y, Y], 1)}, "one label for each picture"),
    ({"y": 0 * Y}, "two or more classes"),
    ({"y": np.where(np.arange(30) < 29, 0, 1)}, "the class '1' has one picture"),
    ({"x_test": X, "y_test": 0 * Y},
     "x_test has no picture of the class '1', of which x has 15: both sets need pictures of each"
     " class. Put some into x_test, too, or take those out of x$"),
    ({"x_test": X, "y_test": Y + 1},
     "x has no picture of the class '2', of which x_test has 15: .* y goes from 0 to 1 and y_test"
     " from 1 to 2: if these are the same classes, count them alike$"),
    ({"y": np.array(["a", "b"])[Y], "class_names": np.array(["a", "b", "c"])},
     "x has no picture of the class 'c': leave its name out of class_names$"),
    ({"x_test": X, "y_test": Y.astype(str)}, "both be texts"),
    ({"class_names": np.array(["a"])}, "class_names has 1 names"),
    ({"class_names": np.array(["a", "a"])}, "look the same"),
    ({"class_names": np.array(["a", "b", "c"])},
     "no picture of the class 'c': leave its name out of class_names, and lower the labels behind"),
    ({"class_names": np.array([1, 2])}, "class_names must be texts"),
    ({"y": np.array(["a", "b"])[Y], "class_names": np.array(["a", "c"])}, "unknown class 'b'"),
    ({"x": X / 100}, "floats from 0 to 1.99, and 0 to 1 are allowed"),
    ({"x": X / 255 - 0.5}, "floats from -0.5 to"),
    ({"x": np.where(X.max() == X, np.nan, X / 255)}, "not finite"),
    ({"x": X // 150}, "x has 1 as its largest number.* multiply it by 255"),
    ({"x": X // 12}, "x has 16 as its largest number.* multiply it by 15,"),
    ({"x": X / 255 / 255}, "x has 0.00306 as its largest number.* floats from 0 to 1"),
    ({"x": (X / 255 / 255).astype(">f2")}, "x has 0.00306 as its largest number"),
    ({"x_test": X // 150, "y_test": Y}, "x_test has 1 as its largest number"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), ODD, ids=[line for _, line in ODD])
def test_an_odd_file_is_refused_in_one_line(changes: Arrays, line: str, tmp_path: Path) -> None:
    path = saved(tmp_path, **changes)
    with pytest.raises(ValueError, match=line) as caught:
        opened(path).load("train", 20)
    assert str(caught.value).startswith(f"--data {path}: ")
    is_a_good_line(str(caught.value))


def test_a_wrong_scale_is_refused_before_a_run_has_a_folder(tmp_path: Path) -> None:
    path = saved(tmp_path, x=X // 150)
    words = ["--data", str(path), "--out", str(tmp_path / "runs"), "--steps", "1"]
    assert "multiply it by 255" in is_refused(load_script("train").train, words)
    assert not (tmp_path / "runs").exists()
    for changes in ({"x": X // 11}, {"x": X / 255 / 11}, {"x": 0 * X}):
        assert opened(saved(tmp_path, **changes)).load("train", 20)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = np.empty(30, object)
    trap[:] = [Trap(tmp_path / "ran")] * 30
    for key in ("x", "y", "class_names"):
        with pytest.raises(ValueError, match=f"{key} holds Python objects"):
            opened(saved(tmp_path, **{key: trap}))
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_archives_are_one_line(tmp_path: Path) -> None:
    for make, line in (
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "it is no file"),
        (lambda path: path.write_bytes(b""), "cannot be read as an .npz file"),
        (lambda path: path.write_text("mine"), "cannot be read as an .npz file"),
    ):  # fmt: skip
        path = tmp_path / f"{len(line)}.npz"
        make(path)
        for ask in (opened, lambda place: classes_of(DataConfig(data=str(place)))):
            with pytest.raises(ValueError, match=line):
                ask(path)


def test_a_size_that_the_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6, 3)}
    )
    path = saved(tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + b"1234")
        archive.writestr("y.npy", b"")
    with pytest.raises(ValueError, match="3,000,000,000,000 bytes are said, 4 there"):
        opened(path)


def test_settings_that_do_not_go_with_it_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for settings, line in (
        ({"cues": ("eye_color:0.9",)}, "--cues"),
        ({"groups": ("a",)}, "--groups"),
    ):
        with pytest.raises(ValueError, match=line):
            opened(path, **settings)
    with pytest.raises(ValueError, match="--resize stretch is about the pictures of --data"):
        open_world(DataConfig(resize="stretch"))


def test_a_run_is_evaluated_on_its_own_pictures_only(tmp_path: Path) -> None:
    path = saved(tmp_path)
    run = RunDir(start(tiny(tmp_path, data=str(path), resize="letterbox", name="run")).folder)
    assert run.config().data.data == str(path)
    assert run.config().data.resize == "letterbox"
    assert "arrays-" in json.loads(run.config_file.read_text())["world"]
    table = tmp_path / "examples.csv"
    words = [str(run), "--counterfactuals", "0", "--examples", str(table)]
    assert told(load_script("evaluate").evaluate, words) == (0, "")
    assert ",x[" in table.read_text()
    saved(tmp_path, x=255 - arrays()["x"])
    assert "arrays-" in is_refused(load_script("evaluate").evaluate, words[:3])


class Photos(Dataset[Any]):
    """A map-style dataset of pictures of PIL's."""

    classes = ("cat", "dog")

    def __init__(self, made: Arrays) -> None:
        self.made = made

    def __len__(self) -> int:
        return len(self.made["y"])

    def __getitem__(self, index: int) -> Any:
        return Image.fromarray(self.made["x"][index]), int(self.made["y"][index])


def test_pictures_of_a_program_become_a_file(tmp_path: Path) -> None:
    made = arrays()
    x, y = torch.from_numpy(made["x"]), torch.from_numpy(made["y"])
    first = x.permute(0, 3, 1, 2)
    wanted = opened(saved(tmp_path, class_names=np.array(["cat", "dog"]))).load("train", 24)
    for train, classes in (
        ((x, y), ("cat", "dog")),
        ((first.numpy(), made["y"].tolist()), ("cat", "dog")),
        (TensorDataset(first.float() / 255, y), ("cat", "dog")),
        (Photos(made), None),
    ):
        world = opened(save_npz(tmp_path / "mine.npz", train, classes=classes))
        found = world.load("train", 24)
        assert torch.equal(found.images, wanted.images)
        assert torch.equal(found.labels, wanted.labels)
        assert world.classes == ("cat", "dog")
    path = save_npz(tmp_path / "two.npz", (x[..., 0], y), test=(x[:6, ..., 1], y[:6]))
    assert opened(path).data.num_test == 6
    with np.load(path) as file:
        assert file["x"].shape == (30, 20, 20)


def test_numbers_that_numpy_lacks_are_stored(tmp_path: Path) -> None:
    x, y = torch.randint(0, 2, (20, 3, 8, 8)), torch.arange(20) % 2
    worlds = [
        opened(save_npz(tmp_path / f"{kind}.npz", TensorDataset(x.to(kind), y))).load("train", 10)
        for kind in (torch.float32, torch.bfloat16, torch.float16)
    ]
    for other in worlds[1:]:
        assert torch.equal(worlds[0].images, other.images)
        assert torch.equal(worlds[0].labels, other.labels)


class SameMemory(Photos):
    """A dataset that gives all of its pictures in one buffer."""

    def __getitem__(self, index: int) -> Any:
        if not hasattr(self, "buffer"):
            self.buffer = np.empty_like(self.made["x"][0])
        self.buffer[:] = self.made["x"][index]
        return torch.from_numpy(self.buffer), int(self.made["y"][index])


def test_pictures_that_are_given_in_the_same_memory_are_all_stored(tmp_path: Path) -> None:
    made = arrays()
    with np.load(save_npz(tmp_path / "mine.npz", SameMemory(made))) as file:
        assert np.array_equal(file["x"], made["x"])
        assert np.array_equal(file["y"], made["y"])


def test_sets_with_other_names_for_the_same_labels_are_refused(tmp_path: Path) -> None:
    one, other = Photos(arrays()), Photos(arrays())
    other.classes = list(reversed(one.classes))
    with pytest.raises(ValueError, match="train has the classes cat, dog, and test dog, cat"):
        save_npz(tmp_path / "mine.npz", one, test=other)
    assert not list(tmp_path.iterdir())
    assert opened(save_npz(tmp_path / "mine.npz", one, test=other, classes=("a", "b"))).classes == (
        "a",
        "b",
    )


def test_names_of_classes_are_not_those_of_labels_with_other_numbers() -> None:
    """As where the positive class is made 1 by `target_transform=lambda y: 1 - y`."""
    whole = Photos(arrays())
    for change, names in (
        (None, ("cat", "dog")), (int, ("cat", "dog")), (torch.tensor, ("cat", "dog")),
        (lambda y: torch.eye(2)[y], ("cat", "dog")), (lambda y: ("cat", "dog")[y], ("cat", "dog")),
        (lambda y: 1 - y, ()), (lambda y: 0, ()), (lambda y: {}[y], ()),
    ):  # fmt: skip
        whole.target_transform = change
        for given in (whole, Subset(whole, range(9)), ConcatDataset([whole, whole])):
            assert known_classes(given) == [names]
    plain = Subset(Photos(arrays()), range(9))
    assert known_classes(plain) == [("cat", "dog")]
    plain.target_transform = lambda y: 1 - y  # a wrapper of a program
    assert known_classes(plain) == [()]


class Digits(Dataset[tuple[Tensor, int]]):
    """As torchvision's sets keep them, of which a subclass gives other labels."""

    classes = ("zero", "one", "two", "three")

    def __init__(self, change: Callable[[int, int], int] = lambda label, number: label) -> None:
        self.data = torch.randint(0, 255, (80, 9, 9), dtype=torch.uint8)
        self.targets, self.change = torch.arange(80) % 4, change

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.data[index], self.change(int(self.targets[index]), index)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda label, number: label, True),
        (lambda label, number: int(label == 3), False),
        (lambda label, number: label % 2, False),
        (lambda label, number: 3 - label, False),
        (lambda label, number: label if number % 5 else (label + 1) % 4, True),  # wrong labels
        (lambda label, number: number * 7919 % 101 % 4, True),  # random labels
    ],
)
def test_names_are_not_those_of_labels_that_a_dataset_changes(
    change: Callable[[int, int], int], kept: bool, tmp_path: Path
) -> None:
    whole = Digits(change)
    names = Digits.classes if kept else tuple(map(str, sorted({y for _, y in whole})))
    for number, given in enumerate((whole, Subset(whole, range(60)))):
        assert opened(save_npz(tmp_path / f"{number}.npz", given)).classes == names
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 4))
    sets = {"train": Subset(whole, range(60)), "test": Subset(whole, range(60, 80))}
    with watch(model, **sets, out=tmp_path / "run", quiet=True, forward=lambda m, x: m(x / 255.0)):
        pass
    told = json.loads((tmp_path / "run" / "config.json").read_text())["watched"]["warnings"]
    assert any("gives other labels than its dataset has" in each for each in told) is not kept


def test_names_of_classes_are_known_through_subsets_and_concatenations(tmp_path: Path) -> None:
    """Where a part lacks a class, its numbers mean others than those of the whole."""
    whole, less = Photos(arrays()), Photos(arrays())
    less.classes = whole.classes[1:]
    parts = random_split(whole, [20, 10], torch.Generator().manual_seed(0))
    whole_again = ConcatDataset([Subset(whole, range(10)), Subset(Subset(whole, range(20)), [3])])
    for train, test in (
        (parts[0], parts[1]), (whole_again, parts[1]), (whole, (arrays()["x"], arrays()["y"])),
        (ConcatDataset([whole, whole]), None),
    ):  # fmt: skip
        world = opened(save_npz(tmp_path / "mine.npz", train, test=test))
        assert world.classes == ("cat", "dog")
        (tmp_path / "mine.npz").unlink()
    for train, test, says in (
        (parts[0], less, "train has the classes cat, dog, and test dog: "),
        (parts[0], Subset(less, range(9)), "train has the classes cat, dog, and test dog: "),
        (whole, ConcatDataset([whole, less]), "train has the classes cat, dog, and test dog: "),
        (ConcatDataset([less, whole]), None, "train has the classes dog, and cat, dog, too: "),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            save_npz(tmp_path / "mine.npz", train, test=test)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["I;16", "I", "F", "RGBA", "1", "L"])
def test_pictures_of_pil_are_read_as_from_files(kind: str, tmp_path: Path) -> None:
    made = arrays(side=16)["x"]
    numbers = made[..., 0].astype(np.uint16) * 257
    pixels = {
        "I;16": numbers, "I": numbers.astype(np.int32), "F": (numbers / 65535).astype(np.float32),
        "RGBA": np.concatenate([made, made[..., :1]], axis=3), "1": made[..., 0] > 100,
        "L": made[..., 0],
    }[kind]  # fmt: skip
    pictures = [Image.fromarray(each) for each in pixels]
    assert {each.mode for each in pictures} == {kind}
    for i, picture in enumerate(pictures):
        file = tmp_path / "folder" / "ab"[i % 2] / f"{i:03}.{'tif' if kind in 'IF' else 'png'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
    items: Any = [(picture, i % 2) for i, picture in enumerate(pictures)]
    world = opened(save_npz(tmp_path / "mine.npz", items, classes=("a", "b")))
    folder = open_world(DataConfig(data=str(tmp_path / "folder"), image_size=16), seed=0)
    assert torch.equal(world.load("train", 24).images, folder.load("train", 24).images)


@pytest.mark.parametrize(
    ("train", "line"),
    [
        ([(Image.new("F", (16, 16), 7e5), 0)] * 3, "a picture cannot be read: its numbers go from"),
        (7, "must be .pictures, labels. as tensors or arrays, or a map-style dataset"),
        ((X, Y[:3]), "30 pictures and 3 labels"),
        ((X / 255 - 1, Y), "floats from -1 to"),
        ((X // 150, Y), "x has 1 as its largest number.* multiply it by 255"),
        ((torch.from_numpy(X / 255 / 255), Y), "x has 0.00306 as its largest number"),
        ((X, Y / 2), "whole numbers or texts, not float64"),
        ((X, 0 * Y), "two or more classes"),
        ([(X[0], 0), (X[0, 2:], 1), (X[0], 1)], "one size is needed"),
        ([(X[0], 0, 1)] * 3, "each item must be a pair"),
        ([(torch.tensor(1), torch.from_numpy(X[0]))] * 3,
         r"a label has the shape \(20, 20, 3\): .* in the order \(picture, label\)"),
        ([(1, Image.new("RGB", (16, 16)))] * 3, r"a label has the shape \(16, 16, 3\)"),
        ([(X[0], torch.eye(2)[k % 2]) for k in range(4)],
         r"a label has the shape \(2,\): .* give its place, argmax\(\)"),
        ([(X[0], [0, 1])] * 3, r"a label has the shape \(2,\)"),
        ((X, np.eye(2)[Y]), r"a label has the shape \(2,\)"),
        ((X, np.eye(2, dtype=int)[Y].tolist()), r"a label has the shape \(2,\)"),
        ((Y, X), r"a label has the shape \(20, 20, 3\)"),
        ((X[:0], Y[:0]), "there is no picture"),
    ],
)  # fmt: skip
def test_what_does_not_fit_leaves_the_file_that_was_there(
    train: Any, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.npz"
    path.write_text("other")
    with pytest.raises(ValueError, match=line) as caught:
        save_npz(path, train)
    is_a_good_line(str(caught.value), names="mine.npz")
    assert [each.name for each in tmp_path.iterdir()] == ["mine.npz"]
    assert path.read_text() == "other"
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        save_npz(tmp_path / "mine.npy", (X, Y))


def test_the_faces_of_scikit_image_are_learned(tmp_path: Path) -> None:
    """100 faces of LFW and 100 other patches, 25 x 25 floats."""
    faces = pytest.importorskip("skimage.data").lfw_subset()
    path = save_npz(tmp_path / "lfw.npz", (faces, np.repeat(["face", "other"], 100)))
    config = tiny(tmp_path, data=str(path), num_train=160, width=4, steps=60, batch_size=40)
    result = start(config)
    assert result.metrics["accuracy/test"].low > 0.5


def test_a_network_of_timm_is_trained_on_them(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    config = tiny(
        tmp_path, data=str(saved(tmp_path)), model="timm:resnet10t", width=16, image_size=32
    )
    assert (start(config).folder / "summary.json").exists()


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    (told,) = opened(saved(tmp_path, x_val=X, y_val=Y, X=X)).doubts()[:1]
    assert told.startswith("arrays X, x_val, y_val in ")
    assert "not used" in told
    many = {f"z{i}": Y for i in range(30)}
    assert "and 22 more in " in opened(saved(tmp_path, **many)).doubts()[0]
    assert not any("not used" in told for told in opened(saved(tmp_path)).doubts())
    column = np.array([f"p{k % 9}" for k in range(len(Y))])
    wide = np.zeros((len(Y), 4))
    (first, told, *_) = opened(saved(tmp_path, patient=column, emb=wide)).doubts()
    assert first.startswith("array emb in ")
    assert first.endswith(": not used.")
    assert told.startswith("array patient in ")
    assert ": not used but to see which pictures belong together; --clusters divides" in told
