"""The tab's view of pictures from disk: its answers are the network's own, its perturbations those
of the measure, its neighbors those of a plain loop; what is gone or hostile gets one clear line."""

import base64
import io
import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lab.core.config import RunConfig
from lab.measure import predict
from lab.measure.label_doubts import features_of
from lab.measure.perturbations import PERTURBATIONS, occlusions
from lab.models import features, to_input
from lab.playground import pictures as view
from lab.playground.errors import RequestError
from lab.playground.pictures import CHANGES
from lab.playground.service import Service
from lab.runs.load import open_run, open_snapshot
from lab.runs.train import start
from lab.worlds import Examples, StoredWorld, open_world, save_npz
from support.configs import tiny
from support.picture_folders import fill

QUESTIONS = ("album", "picture", "occluded", "similar")
PICTURES = {
    "num_train": 18,
    "num_test": 9,
    "image_size": 16,
    "width": 2,
    "steps": 12,
    "batch_size": 9,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on a folder with three classes, one of them with wrong labels and one with another seed,
    one on arrays, and one on faces."""
    root = tmp_path_factory.mktemp("pictures")
    for shade, name in enumerate(("bird", "cat", "dog")):
        fill(root / "pets" / name, 10, shade=60 * shade)
    runs, pets = root / "runs", str(root / "pets")
    start(
        tiny(runs, name="pets", data=pets, counterfactuals=RunConfig().counterfactuals, **PICTURES)
    )
    start(tiny(runs, name="noisy", data=pets, label_noise=0.4, label_noise_kind="flip", **PICTURES))
    start(tiny(runs, name="other", data=pets, seed=1, model="linear", **PICTURES))
    start(tiny(runs, name="large", data=pets, **{**PICTURES, "image_size": 20}))
    x = torch.from_numpy(np.random.default_rng(0).random((24, 1, 12, 12), dtype=np.float32))
    file = save_npz(root / "two.npz", (x, torch.arange(24) % 2), classes=("even", "odd"))
    start(tiny(runs, name="arrays", data=str(file), **PICTURES))
    start(tiny(runs, name="faces"))
    return root


@pytest.fixture(scope="module")
def service(root: Path) -> Service:
    return Service(str(root / "runs"))


def ask(service: Service, question: str, **parameters: Any) -> dict[str, Any]:
    told = {
        name: [str(each) for each in (value if isinstance(value, list) else [value])]
        for name, value in parameters.items()
    }
    return json.loads(json.dumps(service.ask(question, told), allow_nan=False))


def truth(root: Path, name: str, split: str) -> tuple[StoredWorld[Any], Examples, Any]:
    """A run's world, the pictures of a split, and its network, opened anew."""
    opened = open_run(root / "runs" / name)
    world = open_world(opened.config.data, seed=opened.config.seed)
    assert isinstance(world, StoredWorld)
    count = world.data.num_train if split == "train" else world.data.num_test
    return world, world.load(split, count), opened.model


def seen(address: str) -> Tensor:
    """The pixels (3, S, S) of a picture on the page."""
    content = base64.b64decode(address.partition("base64,")[2])
    return torch.from_numpy(np.array(Image.open(io.BytesIO(content)))).permute(2, 0, 1)


@pytest.mark.parametrize("name", ["pets", "arrays"])
@pytest.mark.parametrize("split", ["test", "train"])
def test_the_list_has_the_pictures_labels_and_predictions(
    service: Service, root: Path, name: str, split: str
) -> None:
    world, examples, model = truth(root, name, split)
    says = predict(model, examples.images).argmax(dim=1).tolist()
    told = ask(service, "album", run=name, split=split)
    assert told["classes"] == list(world.classes)
    assert told["totals"][split] == told["found"] == len(examples)
    for i, each in enumerate(told["pictures"]):
        assert each["number"] == i
        assert each["name"] == world.name(split, i)
        assert torch.equal(seen(each["thumbnail"]), examples.images[i])
        assert (each["label"], each["says"]) == (int(examples.labels[i]), says[i])
    wrong = [i for i, label in enumerate(examples.labels.tolist()) if says[i] != label]
    mistakes = ask(service, "album", run=name, split=split, only="mistakes")
    assert sorted(each["number"] for each in mistakes["pictures"]) == wrong
    assert mistakes["counts"]["mistakes"] == len(wrong)
    of_class = ask(service, "album", run=name, split=split, **{"class": 1})["pictures"]
    assert [each["number"] for each in of_class] == [
        i for i, label in enumerate(examples.labels.tolist()) if label == 1
    ]


def test_a_list_goes_on_where_it_is_asked_to(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "PAGE", 4)
    parts = [
        [each["number"] for each in ask(service, "album", run="pets", start=start)["pictures"]]
        for start in (0, 4, 8, 12)
    ]
    assert list(itertools.chain(*parts)) == list(range(6))


def test_wrong_labels_are_listed_with_the_truth(service: Service, root: Path) -> None:
    _, examples, _ = truth(root, "noisy", "train")
    told = ask(service, "album", run="noisy", split="train", only="mislabeled")
    numbers = examples.mislabeled.nonzero()[:, 0].tolist()
    assert [each["number"] for each in told["pictures"]] == numbers
    assert told["counts"]["mislabeled"] == len(numbers) > 0
    for each in told["pictures"]:
        assert each["truth"] == int(examples.clean_labels[each["number"]]) != each["label"]
    doubts = ask(service, "album", run="noisy", split="train", only="doubts")["pictures"]
    assert sorted(each["number"] for each in doubts) == list(range(len(examples)))


@pytest.mark.parametrize("change", CHANGES)
def test_perturbed_pictures_and_their_answers_are_those_of_the_measure(
    service: Service, root: Path, change: str
) -> None:
    world, examples, model = truth(root, "pets", "test")
    others = {"noisy": truth(root, "noisy", "test"), "other": truth(root, "other", "test")}
    number = 2
    one = examples.images[number : number + 1]
    told = ask(
        service, "picture", run="pets", split="test", number=number, change=change,
        other=["noisy", "other", "large"],
    )  # fmt: skip
    wanted = one if change == "none" else PERTURBATIONS[change](one)
    assert torch.equal(seen(told["picture"]), wanted[0])
    assert [each["name"] for each in told["changes"]] == ["none", *PERTURBATIONS]
    *comparable, large = told["answers"]
    assert "another --image-size" in large["trouble"]
    for answer in comparable:
        theirs, _, its = others.get(answer["name"], (world, None, model))
        chances = predict(its, wanted)[0].double().softmax(dim=0)
        assert answer["chances"] == pytest.approx(chances.tolist(), abs=1e-5)
        for name, says in zip(CHANGES, answer["says"], strict=True):
            changed = one if name == "none" else PERTURBATIONS[name](one)
            assert says == int(predict(its, changed).argmax())
        names = [theirs.name("train", i) for i in range(theirs.data.num_train)]
        assert answer["studied"] == (told["name"] in names)
    summary = json.loads((root / "runs" / "pets" / "summary.json").read_text())
    for each in told["changes"][1:]:
        assert each["share"] == summary["perturbation"][each["name"]]["value"]


def test_a_picture_that_one_run_was_tested_on_may_have_trained_another(
    service: Service, root: Path
) -> None:
    told = [
        ask(service, "picture", run="pets", number=number, other="other")["answers"]
        for number in range(6)
    ]
    assert not any(mine["studied"] for mine, _ in told)
    assert any(theirs["studied"] for _, theirs in told)  # its seed makes another division


def test_occluded_patches_are_those_of_the_measure(service: Service, root: Path) -> None:
    _, examples, model = truth(root, "pets", "test")
    blurred = PERTURBATIONS["blur"](examples.images[1:2])
    told = ask(service, "occluded", run="pets", number=1, change="blur")
    before = predict(model, blurred)[0].double().softmax(dim=0)
    says = int(before.argmax())
    assert told["says"] == says
    drops, then = [], []
    for _, occluded in occlusions(blurred):
        after = predict(model, occluded)[0].double().softmax(dim=0)
        drops.append(float(before[says] - after[says]))
        then.append(int(after.argmax()))
    assert list(itertools.chain(*told["drops"])) == pytest.approx(drops, abs=2e-5)
    assert list(itertools.chain(*told["then"])) == then
    assert max(map(abs, drops)) > 1e-4


def test_a_picture_is_shown_to_the_networks_of_the_step_that_is_asked_about(
    service: Service, root: Path
) -> None:
    _, examples, _ = truth(root, "pets", "test")
    one = examples.images[2:3]
    for step in (0, 3):
        told = ask(service, "picture", run="pets", number=2, other="noisy", step=step)
        for name, answer in zip(("pets", "noisy"), told["answers"], strict=True):
            then = open_snapshot(root / "runs" / name, step, open_run(root / "runs" / name)).model
            chances = predict(then, one)[0].double().softmax(dim=0)
            assert answer["step"] == step
            assert answer["chances"] == pytest.approx(chances.tolist(), abs=1e-5)
        assert not any(each["share"] for each in told["changes"])  # known of the trained one
        first, last = (ask(service, "occluded", run="pets", number=2, **at)["drops"]
                       for at in ({"step": step}, {}))  # fmt: skip
        assert first != last


def test_nearest_training_pictures_are_those_of_a_plain_loop(service: Service, root: Path) -> None:
    _, test, model = truth(root, "pets", "test")
    _, train, _ = truth(root, "pets", "train")
    one = test.images[4:5]
    told = ask(service, "similar", run="pets", number=4)
    mine = features(model, to_input(one))
    assert mine is not None
    by: dict[str, list[float]] = {"features": [], "pixels": []}
    for image in train.images:
        its = features(model, to_input(image[None]))
        assert its is not None
        by["features"].append(float((its - mine).norm()))
        by["pixels"].append(float((image.float() - one[0].float()).square().mean().sqrt()))
    assert [way["way"] for way in told["ways"]] == list(by)
    for way in told["ways"]:
        far = by[way["way"]]
        numbers = [each["number"] for each in way["pictures"]]
        assert numbers == sorted(range(len(far)), key=far.__getitem__)[:6]
        for each in way["pictures"]:
            assert each["label"] == int(train.labels[each["number"]])
            assert torch.equal(seen(each["thumbnail"]), train.images[each["number"]])
    known = features_of(model, train.images)
    assert known is not None
    first = told["ways"][0]["pictures"][0]
    typical = float(known.norm(dim=1).mean())
    assert first["distance"] == pytest.approx(min(by["features"]) / typical, abs=2e-4)


def test_a_training_picture_is_not_its_own_neighbor_unless_it_is_perturbed(
    service: Service,
) -> None:
    plain = ask(service, "similar", run="pets", split="train", number=3)
    for way in plain["ways"]:
        assert 3 not in [each["number"] for each in way["pictures"]]
    noisy = ask(service, "similar", run="pets", split="train", number=3, change="noise")
    assert noisy["ways"][-1]["pictures"][0]["number"] == 3


def test_the_list_of_runs_says_which_have_pictures(service: Service, root: Path) -> None:
    runs = {run["name"]: run for run in ask(service, "runs")["runs"]}
    kinds = {name: run["kind"] for name, run in runs.items()}
    assert kinds == {**dict.fromkeys(("pets", "noisy", "other", "large", "arrays"), "pictures"),
                     "faces": "ready"}  # fmt: skip
    assert runs["pets"]["pictures"] == runs["other"]["pictures"] != runs["arrays"]["pictures"]
    assert runs["pets"]["conditions"][0] == "18 training pictures"
    assert not runs["pets"]["character"]
    for question in ("strips", "nearest", "over_training"):
        with pytest.raises(RequestError, match="sliders for faces only"):
            ask(service, question, run="pets", face="")
    for question in QUESTIONS:
        with pytest.raises(RequestError, match="drawn pictures") as told:
            ask(service, question, run="faces", **({} if question == "album" else {"number": 0}))
        assert "\n" not in str(told.value)


def test_pictures_that_are_gone_or_others_get_one_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets = tmp_path / "pets"
    shutil.copytree(root / "pets", pets)
    runs = tmp_path / "runs"
    start(tiny(runs, name="pets", data=str(pets), **PICTURES))
    service = Service(str(runs))
    assert ask(service, "album", run="pets")["found"] == 6
    pets.rename(tmp_path / "elsewhere")
    (run,) = ask(service, "runs")["runs"]
    assert (run["kind"], "no longer at" in run["trouble"]) == ("broken", True)
    with pytest.raises(RequestError, match=f"no longer at {pets}: put them back") as told:
        ask(service, "album", run="pets")
    assert told.value.status == 404
    (tmp_path / "elsewhere").rename(pets)
    assert ask(service, "album", run="pets")["found"] == 6  # they are back
    monkeypatch.setattr(view, "AGAIN", 0.0)
    monkeypatch.setattr(view, "SPARING", 0)
    service = Service(str(runs))
    one = next((pets / "cat").iterdir())
    content = one.read_bytes()
    ask(service, "album", run="pets")
    one.write_bytes((pets / "dog" / "000.png").read_bytes())
    for question in QUESTIONS:
        with pytest.raises(RequestError, match="trained on pictures of version folder-") as told:
            ask(service, question, run="pets", **({} if question == "album" else {"number": 0}))
        assert "\n" not in str(told.value)
    one.write_bytes(content)
    assert ask(service, "album", run="pets")["found"] == 6
    (pets / "fish").mkdir()
    shutil.copy(one, pets / "fish")
    with pytest.raises(RequestError, match="trained on the classes bird, cat, dog"):
        ask(service, "album", run="pets")


def test_no_more_is_kept_than_there_is_room_for(
    service: Service, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MEMORY", 5 * 3 * 16**2)
    small = Service(str(root / "runs"))
    told = ask(small, "album", run="pets", split="train")
    assert (told["searched"], told["totals"]["train"], told["found"]) == (5, 18, 5)
    assert ask(small, "similar", run="pets", number=0)["searched"] == 5
    with pytest.raises(RequestError, match="number must be a whole number from 0 to 4, not 5"):
        ask(small, "picture", run="pets", split="train", number=5)


NET = """
from torch import nn
from lab.models import ModelSpec

def net(spec: ModelSpec) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
"""


def test_code_of_others_runs_only_after_consent(root: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    runs, model = tmp_path / "runs", f"{tmp_path / 'net.py'}:net"
    start(tiny(runs, name="own", data=str(root / "pets"), model=model, **PICTURES))
    service = Service(str(runs))
    (run,) = ask(service, "runs")["runs"]
    assert run["kind"] == "consent"
    for question in QUESTIONS:
        with pytest.raises(RequestError, match="opening it runs that code"):
            ask(service, question, run="own", **({} if question == "album" else {"number": 0}))
    service.allow("own")
    (run,) = ask(service, "runs")["runs"]
    assert run["kind"] == "pictures"
    assert ask(service, "album", run="own")["found"] == 6
    (tmp_path / "net.py").write_text(NET + "\n# another\n")
    (run,) = ask(service, "runs")["runs"]
    assert run["kind"] == "consent"


HOSTILE = [
    "", "x", "-1", "6", "99999999999999999999", "1e3", "0.5", "nan", "train\n", "TEST",
    "validation",
    "../../pets", "/etc", "none,blur", "rotate", "mistakes", "%00", "\x00", "٣", "pets", "faces",
    "nobody", "<b>", "0", "1", "train", "blur",
]  # fmt: skip


def test_hostile_requests_get_one_clear_line(service: Service) -> None:
    chance, told = random.Random(0), {200: 0, 400: 0, 404: 0}
    names = ("run", "split", "number", "change", "only", "class", "start", "other", "path")
    for _ in range(400):
        question = chance.choice(QUESTIONS)
        good = {"run": "pets"} | ({} if question == "album" else {"number": "1"})
        odd = {
            chance.choice(names): [chance.choice(HOSTILE) for _ in range(chance.choice([1, 1, 2]))]
            for _ in range(chance.choice([0, 1, 1, 2]))
        }
        parameters = good | odd
        try:
            ask(service, question, **parameters)
            told[200] += 1
        except RequestError as refusal:
            told[refusal.status] += 1
            line = str(refusal)
            assert line, parameters
            assert "\n" not in line, parameters
            assert len(line) < 600, parameters
    assert min(told.values()) > 10


@pytest.mark.parametrize(
    ("question", "odd", "why"),
    [
        ("album", {"split": "validation"}, "unknown split 'validation'"),
        ("album", {"only": "doubts"}, "only=doubts is about training pictures"),
        ("album", {"class": 3}, "class must be 0 to 2, not 3"),
        ("album", {"start": -1}, "start must be a whole number"),
        ("picture", {"number": 6}, "number must be a whole number from 0 to 5, not 6"),
        ("picture", {"number": 0, "change": "rotate"}, "unknown change 'rotate'"),
        ("picture", {"number": 0, "other": ["a", "b", "c", "d"]}, "at most, not 4"),
        ("picture", {}, "number must be given once"),
        ("occluded", {"number": 0, "other": "noisy"}, "unknown parameter 'other'"),
        ("similar", {"number": "x"}, "number must be a whole number"),
    ],
)
def test_what_cannot_be_asked_is_named(
    service: Service, question: str, odd: dict[str, Any], why: str
) -> None:
    with pytest.raises(RequestError, match=why):
        ask(service, question, run="pets", **odd)
