"""Classes that were exchanged in the test set are named, and others are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lab.measure import Predictions
from lab.measure.exchanged import exchanged_classes
from lab.runs.train import start
from lab.verdict.doubts import unlike
from support.configs import tiny
from support.made_up import setting

CLASSES = 5
LABELS = torch.arange(CLASSES).repeat_interleave(30)


def answered(answers: Tensor, labels: Tensor = LABELS) -> Predictions:
    logits = torch.nn.functional.one_hot(answers, CLASSES).double()
    return Predictions.of(logits, labels, classes=tuple("abcde"))


def swapped(one: int, other: int) -> Tensor:
    names = torch.arange(CLASSES)
    names[[one, other]] = names[[other, one]]
    return names[LABELS]


def test_two_that_get_each_others_names_are_found() -> None:
    right = answered(LABELS)
    assert exchanged_classes(right, answered(swapped(1, 3))) == (("b", "d"), ("d", "b"))
    assert not exchanged_classes(right, right)
    assert not exchanged_classes(answered(swapped(1, 3)), answered(swapped(1, 3))), "no memory"
    one_way = LABELS.where(LABELS != 1, torch.tensor(3))
    assert not exchanged_classes(right, answered(one_way))
    usual = torch.where(LABELS == 3, 1, 3)  # nearly all get one answer, and its own class another
    assert not exchanged_classes(right, answered(usual))
    few = LABELS.where(torch.rand(len(LABELS)) < 0.6, swapped(1, 3))
    assert not exchanged_classes(right, answered(few))
    some = torch.cat([LABELS[LABELS != 1], torch.ones(9, dtype=torch.long)])
    answers = torch.arange(CLASSES)
    answers[[1, 3]] = answers[[3, 1]]
    assert not exchanged_classes(right, answered(answers[some], some)), "nine of one class"


def test_classes_that_were_numbered_anew_are_found() -> None:
    """As by an encoder for each set, one of which lacks a class: all after it are numbered anew."""
    right = answered(LABELS)
    test = LABELS[LABELS != 1]
    shifted = torch.where(test > 1, test - 1, test)  # its labels: c counts as b
    found = exchanged_classes(right, answered(test, shifted))
    assert found == (("b", "c"), ("c", "d"), ("d", "e"))
    (text,) = (each.text for each in unlike(setting(exchanged=found, noun="pictures")))
    assert text.startswith("Most test pictures of b are answered c, of c d, of d e, though those")
    pairs = tuple((str(k), str(k + 1)) for k in range(9))
    (text,) = (each.text for each in unlike(setting(exchanged=pairs)))
    assert ", of 3 4 and so on, though" in text


def test_of_many_classes_no_table_of_all_with_each_other_is_made() -> None:
    """That of a hundred thousand classes would have 80 GB."""
    labels = torch.arange(3).repeat_interleave(10)
    names = torch.tensor([0, 2, 1])
    right, wrong = (
        Predictions.of(torch.nn.functional.one_hot(each, 100_000).float(), labels)
        for each in (labels, names[labels])
    )
    assert exchanged_classes(right, wrong) == (("1", "2"), ("2", "1"))
    assert not exchanged_classes(right, right)


def test_networks_that_memorize_or_guess_seldom_seem_to_have_some() -> None:
    found = 0
    for seed in range(200):
        draw = torch.Generator().manual_seed(seed)
        labels = torch.arange(3).repeat_interleave(12)
        answers = torch.randint(3, labels.shape, generator=draw)
        logits = torch.nn.functional.one_hot(answers, 3).double()
        test = Predictions.of(logits, labels)
        right = torch.nn.functional.one_hot(labels, 3).double()
        found += len(exchanged_classes(Predictions.of(right, labels), test))
    assert not found


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_run_names_them_before_it_speaks_of_memory(exchanged: bool, tmp_path: Path) -> None:
    random, names = np.random.default_rng(0), ("dark", "gray", "light")
    for split, count in (("train", 20), ("test", 12)):
        for shade, name in zip((40, 130, 220), names, strict=True):
            other = {"dark": "light", "light": "dark"}.get(name, name)
            folder = tmp_path / "own" / split / (other if exchanged and split == "test" else name)
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.normal(shade, 10, (16, 16, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    config = tiny(
        tmp_path / "runs", data=str(tmp_path / "own"), num_train=60, num_test=36, steps=150,
        learning_rate=0.01, model="mlp",
    )  # fmt: skip
    verdict = " ".join(start(config).verdict.split())
    said = "Most test pictures of dark are answered light, and the reverse"
    assert verdict.startswith(said) is exchanged
    assert ("exchanged" in verdict) is exchanged


def test_few_clusters_are_enough_if_all_agree() -> None:
    """Eight patients of five pictures each, of classes that are exchanged."""
    labels = torch.arange(3).repeat_interleave(40)
    names = ("a", "b", "c")
    train = Predictions.of(5 * torch.eye(3)[labels], labels, classes=names, split="train")
    swapped = torch.tensor([1, 0, 2])[labels]
    owners = torch.arange(120) // 5
    for few in (1, 8):
        clusters = labels * 10 + owners % few
        test = Predictions.of(5 * torch.eye(3)[swapped], labels, classes=names)
        found = exchanged_classes(train, replace(test, clusters=clusters))
        assert found == ((("a", "b"), ("b", "a")) if few == 8 else ())


def test_patients_with_pictures_of_all_classes_do_not_hide_exchanged_ones() -> None:
    labels = torch.arange(120) % 3
    names = ("a", "b", "c")
    train = Predictions.of(5 * torch.eye(3)[labels], labels, classes=names, split="train")
    swapped = torch.tensor([1, 0, 2])[labels]
    test = Predictions.of(5 * torch.eye(3)[swapped], labels, classes=names)
    owners = torch.arange(120) // 10
    both = (replace(each, clusters=owners) for each in (train, test))
    assert exchanged_classes(*both) == (("a", "b"), ("b", "a"))
