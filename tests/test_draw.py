"""The drawing engine draws what a description says, and refuses a description that does not fit."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch

from lab import draw
from lab.core.compiled import compilers
from lab.draw import InputTable, codegen
from lab.draw.display_list import DisplayList
from support.toy_drawing import SLAB, TOYS, Toys, reading, toys, with_input

CPU = torch.device("cpu")


@pytest.fixture
def in_c(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A cache of its own for the compiled library."""
    if not compilers():
        pytest.skip("there is no C compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("size", [16, 33])
def test_both_backends_draw_any_drawing_to_the_same_bytes(size: int, in_c: None) -> None:
    batch = toys(70)
    pictures = [draw.render(TOYS, batch, size=size, backend=how) for how in ("torch", "c")]
    assert torch.equal(pictures[0], pictures[1])
    assert len(pictures[0].flatten(1).unique(dim=0)) == 70


def test_masks_mark_the_sprite() -> None:
    """A disc of known center and radius, up to the pixel on its rim."""
    region = draw.masks(TOYS, toys(3), size=64)["dot"]
    centers = (torch.arange(64) + 0.5) / 32 - 1
    away = torch.hypot(centers[None, :] + 0.4, centers[:, None] - 0.3)
    assert region[:, away < 0.2 - 1 / 64].all()
    assert not region[:, away > 0.2 + 1 / 64].any()


def test_a_misspelt_input_is_named_with_its_nearest_match() -> None:
    with pytest.raises(KeyError, match="'witdh'; did you mean 'width'"):
        draw.render(reading("witdh"), toys(2), size=16, backend="torch")
    with pytest.raises(KeyError, match="'witdh'; did you mean 'width'"):
        codegen.source(reading("witdh"))


def test_an_input_that_nothing_reads_is_named() -> None:
    with pytest.raises(ValueError, match="nothing reads: forgotten"):
        codegen.source(with_input("forgotten"))


def test_a_drawing_without_a_required_input_is_refused() -> None:
    def prepare(batch: Toys, size: int) -> DisplayList:
        listed = TOYS.prepare(batch, size)
        columns = tuple(("grain" if c == "noise" else c, w) for c, w in listed.inputs.columns)
        return replace(listed, inputs=InputTable(listed.inputs.packed, columns))

    with pytest.raises(ValueError, match="no input called noise"):
        codegen.source(replace(TOYS, prepare=prepare))


@pytest.mark.parametrize("name", ["slab", "dot", "background", "no word"])
def test_layers_and_sprites_have_names_of_their_own(name: str) -> None:
    other = replace(SLAB, name=name)
    with pytest.raises(ValueError, match=f"'{name}' must be a word"):
        codegen.source(replace(TOYS, subjects={"slab": (SLAB,), "other": (other,)}))


def test_subjects_may_share_a_layer() -> None:
    shared = codegen.source(replace(TOYS, subjects={"slab": (SLAB,), "too": (SLAB,)}))
    assert shared.count("void lay_slab_1(") == 1
    assert shared.count("lay_slab_1(p") == 2


@pytest.mark.parametrize(
    "known", [{"witdh": 0.3}, {"width": 0.3, "widht": 1.0}], ids=["alone", "beside another"]
)
def test_a_case_of_an_unknown_input_is_refused(known: Mapping[str, float]) -> None:
    wrong = replace(TOYS, subjects={"slab": (replace(SLAB, cases=(known,)),)})
    with pytest.raises(ValueError, match="did you mean 'width'"):
        codegen.source(wrong)


def test_inputs_are_replaced_but_not_added() -> None:
    n = TOYS.prepare(toys(2), 16).inputs.rows(slice(None), CPU)
    wider: Callable[..., object] = n.replaced
    assert n.replaced(width=n["width"] * 2)["width"][0] == 2 * n["width"][0]
    with pytest.raises(KeyError, match="did you mean 'width'"):
        wider(widht=n["width"])
