"""Every random stream has a name: fixing or adding an attribute moves no other."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from scipy import stats

from lab.core.seeds import bits, permutation, uniforms, uniforms_of_each
from lab.worlds.faces import ATTRIBUTES, Attribute, Faces, batch, sample_prior
from lab.worlds.faces.batch import draw, sample_at
from support.face_cases import levels

COUNT = 20_000
SURE = 1e-6  # a false alarm in a million; the streams are fixed, so a pass stays a pass
NUISANCES = [name for name, row in ATTRIBUTES.items() if row.group != "structure"]


@pytest.fixture(scope="module")
def faces() -> Faces:
    return sample_prior(COUNT, seed=0)


@pytest.fixture(scope="module")
def streams() -> dict[str, np.ndarray]:
    """The uniform numbers behind each attribute."""
    indices = np.arange(COUNT)
    return {name: uniforms(indices, 0, "sample", name, 0) for name in ATTRIBUTES}


def _moved(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> set[str]:
    return {name for name in one.keys() & other.keys() if not torch.equal(one[name], other[name])}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_fixing_one_attribute_moves_no_other(name: str) -> None:
    free = sample_prior(200, seed=1)
    fixed = sample_prior(200, seed=1, **{name: levels(name)[-1]})
    assert _moved(free.values, fixed.values) == {name}
    assert torch.equal(free.identity, fixed.identity)


@pytest.mark.parametrize("place", [0, 17, len(ATTRIBUTES)])
def test_a_new_attribute_moves_no_other(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    before = sample_at(np.arange(300), seed=2, split="train")
    rows = list(ATTRIBUTES.items())
    freckles = Attribute(name="freckles", kind="continuous", group="face", meaning="freckles")
    rows.insert(place, ("freckles", freckles))
    monkeypatch.setattr(batch, "ATTRIBUTES", dict(rows))
    after = sample_at(np.arange(300), seed=2, split="train")
    assert not _moved(before.values, after.values)
    assert after.values["freckles"].unique().numel() == 300
    assert torch.equal(before.identity, after.identity)


def test_renaming_an_attribute_moves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sample_at(np.arange(300), seed=2, split="train")
    row = ATTRIBUTES["smile"]
    renamed = Attribute(**{**vars(row), "name": "grin"})
    monkeypatch.setattr(batch, "ATTRIBUTES", {**ATTRIBUTES, "smile": renamed})
    after = sample_at(np.arange(300), seed=2, split="train")
    assert _moved(before.values, after.values) == {"smile"}


def test_streams_are_uniform(streams: dict[str, np.ndarray]) -> None:
    for name, u in streams.items():
        assert u.min() >= 0, name
        assert u.max() < 1, name
        assert stats.kstest(u, "uniform").pvalue > SURE, name
        low_bits = (u * 2**20 % 1 * 16).astype(int)
        assert stats.chisquare(np.bincount(low_bits, minlength=16)).pvalue > SURE, name


def test_streams_are_independent(streams: dict[str, np.ndarray]) -> None:
    matrix = np.stack(list(streams.values()))
    correlation = np.corrcoef(matrix) - np.eye(len(matrix))
    assert np.abs(correlation).max() < 5.5 / np.sqrt(COUNT)
    names = list(streams)
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        cells, _, _ = np.histogram2d(streams[one], streams[other], bins=8)
        assert stats.chi2_contingency(cells).pvalue > SURE, (one, other)


@pytest.mark.parametrize("lag", [1, 2, 64])
def test_neighbors_are_independent(streams: dict[str, np.ndarray], lag: int) -> None:
    for name, u in streams.items():
        cells, _, _ = np.histogram2d(u[:-lag], u[lag:], bins=8)
        assert stats.chi2_contingency(cells).pvalue > SURE, name


def test_seeds_splits_and_attempts_are_other_streams() -> None:
    indices = np.arange(5000)
    addresses = [(0, "a", "smile", 0), (1, "a", "smile", 0), (0, "b", "smile", 0),
                 (0, "a", "gaze", 0), (0, "a", "smile", 1), (-1, "a", "smile", 0)]  # fmt: skip
    matrix = np.stack([uniforms(indices, *address) for address in addresses])
    assert np.abs(np.corrcoef(matrix) - np.eye(len(matrix))).max() < 5.5 / np.sqrt(5000)


def test_names_do_not_run_together() -> None:
    indices = np.arange(4)
    pairs = [((0, "a", "bc"), (0, "ab", "c")), ((1, 1, "a"), (11, "a")), ((0, "a"), (0, "a", ""))]
    for one, other in pairs:
        assert not np.array_equal(bits(indices, *one), bits(indices, *other)), (one, other)


def test_a_stream_can_be_entered_anywhere() -> None:
    whole = uniforms(np.arange(1000), 3, "x")
    assert np.array_equal(uniforms(np.arange(64), 3, "x"), whole[:64])
    picked = np.array([999, 5, 5, 0])
    assert np.array_equal(uniforms(picked, 3, "x"), whole[picked])
    assert len(np.unique(whole)) == 1000


def test_several_streams_at_once_are_each_on_its_own() -> None:
    indices = np.array([999, 5, 0])
    several = uniforms_of_each(range(3, 6), indices, 7, "x")
    assert np.array_equal(several, [uniforms(indices, 7, "x", stream) for stream in range(3, 6)])


def test_a_permutation_moves_everything_once() -> None:
    order = permutation(5000, 0, "order")
    assert np.array_equal(np.sort(order), np.arange(5000))
    assert abs(np.corrcoef(order, np.arange(5000))[0, 1]) < 5.5 / np.sqrt(5000)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_samples_follow_the_prior(faces: Faces, name: str) -> None:
    row, values = ATTRIBUTES[name], faces[name].numpy()
    if row.kind == "continuous":
        span = row.high - row.low
        share = (float(row.typical) - row.low) / span
        prior = stats.triang(share, row.low, span) if row.peak else stats.uniform(row.low, span)
        assert stats.kstest(values.astype(np.float64), prior.cdf).pvalue > SURE
    else:
        drawn = np.bincount(values, minlength=len(row.values))
        wanted = np.array(row.prior) * COUNT
        assert np.array_equal(drawn[wanted == 0], wanted[wanted == 0])
        if (wanted > 0).sum() > 1:
            assert stats.chisquare(drawn[wanted > 0], wanted[wanted > 0]).pvalue > SURE


@pytest.mark.parametrize("name", NUISANCES)
def test_variation_pulls_towards_what_is_typical(name: str) -> None:
    row = ATTRIBUTES[name]
    indices = np.arange(4000)
    none, half, full = (
        draw(row, indices, seed=0, split="s", variation=v).double() for v in (0, 0.5, 1)
    )
    typical = row.code(row.typical)
    assert torch.allclose(none, torch.tensor(typical, dtype=torch.float64), atol=1e-6)
    if row.kind == "continuous":
        assert torch.allclose(half - typical, (full - typical) / 2, atol=1e-5)
    else:
        others = (full != typical).double().mean(), (half != typical).double().mean()
        expected = 1 - row.prior[row.values.index(row.typical)]
        for share, wanted in zip(others, (expected, expected / 2), strict=True):
            assert abs(share - wanted) < 5 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name not in NUISANCES])
def test_variation_leaves_structure_alone(name: str) -> None:
    pulled, full = sample_prior(300, seed=0, variation=0.0), sample_prior(300, seed=0)
    assert torch.equal(pulled[name], full[name])
