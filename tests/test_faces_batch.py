"""`Faces`: taking, joining, iterating, naming, and setting attributes."""

import pytest
import torch
from torch import Tensor

from lab.worlds.faces import ATTRIBUTES, Faces, sample_prior
from support.face_cases import same


@pytest.fixture(scope="module")
def faces() -> Faces:
    return sample_prior(30, seed=0)


def _like_numbers(faces: Faces, picked: list[int]) -> Faces:
    return Faces.cat([faces[i : i + 1] for i in picked])


@pytest.mark.parametrize(
    ("index", "picked"),
    [
        (slice(3, 9, 2), [3, 5, 7]),
        (torch.tensor([5, 2, 2, -1]), [5, 2, 2, 29]),
        (torch.arange(30) % 10 == 4, [4, 14, 24]),
        ([7, 1], [7, 1]),
    ],
)
def test_taking(faces: Faces, index: slice | Tensor | list[int], picked: list[int]) -> None:
    assert same(faces[index], _like_numbers(faces, picked))
    assert len(faces.take(index)) == len(picked)


@pytest.mark.parametrize("nothing", [[], slice(0, 0), torch.zeros(30, dtype=torch.bool)])
def test_taking_nothing(faces: Faces, nothing: slice | Tensor | list[int]) -> None:
    assert len(faces[nothing]) == 0


def test_joining_undoes_cutting(faces: Faces) -> None:
    assert same(Faces.cat([faces[:11], faces[11:11], faces[11:]]), faces)
    assert same(Faces.cat(list(faces)), faces)


def test_iteration_gives_one_face_at_a_time(faces: Faces) -> None:
    singles = list(faces)
    assert [len(single) for single in singles] == [1] * 30
    assert [single.identity.item() for single in singles] == faces.identity.tolist()


def test_columns_have_the_kind_of_their_attribute(faces: Faces) -> None:
    for name, row in ATTRIBUTES.items():
        column = faces[name]
        assert column.shape == (30,)
        assert column.dtype == (torch.float32 if row.kind == "continuous" else torch.int64)
        assert column.device.type == "cpu"
    assert faces.identity.dtype == torch.int64


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_names_say_the_values(faces: Faces, name: str) -> None:
    words, row = faces.names(name), ATTRIBUTES[name]
    if row.kind == "categorical":
        assert torch.equal(faces.do(**{name: words})[name], faces[name])
    else:
        numbers = torch.tensor([float(word) for word in words])
        assert torch.allclose(numbers, faces[name].float(), rtol=1e-4, atol=1e-5)


def test_setting_changes_a_copy_of_one_attribute(faces: Faces) -> None:
    before = faces["eye_color"].clone()
    blue = faces.do(eye_color="blue")
    assert set(blue.names("eye_color")) == {"blue"}
    assert torch.equal(faces["eye_color"], before)
    assert same(blue.do(eye_color=before), faces)


def test_setting_one_value_for_each_face(faces: Faces) -> None:
    words = (["blue", "green", "brown"] * 10)[: len(faces)]
    assert faces.do(eye_color=words).names("eye_color") == words
    codes = torch.arange(30) % 5
    assert torch.equal(faces.do(eye_color=codes)["eye_color"], codes)
    widths = torch.linspace(0.9, 1.1, 30)
    assert torch.equal(faces.do(head_width=widths)["head_width"], widths)
    assert torch.equal(faces.do(head_width=widths.tolist())["head_width"], widths)


def test_setting_several_is_setting_one_after_the_other(faces: Faces) -> None:
    both = faces.do(smile=1.0, nose=0)
    assert same(both, faces.do(nose=0).do(smile=1.0))
    assert same(faces.do(), faces)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eye_colour": "blue"}, "eye_colour.*eye_color"),
        ({"eye_color": "bleu"}, "bleu.*blue"),
        ({"eyes": 3}, "eyes must be one of 0, 1, 2, not 3"),
        ({"scale": 2.0}, "scale must be a number from .* to .*, not 2"),
        ({"smile": True}, "smile.*True"),
        ({"nose": [0, 1]}, "nose needs one value for each of 30 samples, got 2"),
        ({"nose": torch.tensor(1)}, "nose needs one value for each of 30 samples, got 1"),
        ({"eye_color": torch.full((30,), 9)}, "eye_color.*9"),
        ({"eye_color": torch.full((30,), -1)}, "eye_color.*-1"),
        ({"eyes": torch.full((30,), 0.5)}, "eyes must be one of 0, 1, 2, not 0.5"),
        ({"eye_color": ["blue"] * 29 + ["pink"]}, "eye_color.*pink"),
    ],
)
def test_mistakes_are_explained(faces: Faces, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        faces.do(**changes)  # type: ignore[arg-type]


def test_unknown_columns_get_the_nearest_name(faces: Faces) -> None:
    for ask in (faces.__getitem__, faces.names):
        with pytest.raises(ValueError, match=r"smlie.*smile"):
            ask("smlie")
