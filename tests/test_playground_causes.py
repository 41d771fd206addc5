"""The training faces that the tab names as causes: those planted, and none where nothing is
memorized; of a pool of other networks, without weights or behind a link, it names none."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.core.config import RunConfig
from lab.playground import causes as tab
from lab.playground.errors import RequestError
from lab.playground.logdir import open_logdir
from lab.playground.model_cache import ModelCache
from lab.playground.request import write_face
from lab.playground.service import Service
from lab.pool import membership, run_pool
from lab.pool.own_run import own_run
from lab.pool.run import PoolResult
from lab.pool.store import PoolDir
from lab.runs.train import start
from lab.training import load_checkpoint, save_checkpoint
from lab.worlds import Examples, draw_examples
from support.configs import tiny
from support.executors import Here
from support.pools import files

NETWORKS, FACES = 20, 12


def settings(out: Path, **changes: Any) -> RunConfig:
    usual: dict[str, Any] = {
        "num_train": FACES, "num_test": 4, "model": "linear", "steps": 2, "label_noise": 0.3,
        "name": "mine",
    }  # fmt: skip
    return tiny(out, **{**usual, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PoolResult:
    """A pool with its run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
        result = run_pool(settings(tmp_path_factory.mktemp("pools")), networks=NETWORKS)
    assert own_run(result) == ""
    return result


@pytest.fixture
def pool(made: PoolResult, tmp_path: Path) -> Path:
    """A copy of its folder, alone in a logdir."""
    shutil.copytree(made.folder, tmp_path / "logdir" / "mine")
    return tmp_path / "logdir" / "mine"


def the_faces() -> Examples:
    return draw_examples(settings(Path()).data, split="train", count=FACES, seed=0)


def plant(pool: Path, known: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Give the networks weights with which they give the training faces the log odds that `known`
    returns for their labels (N,) and the network's members (N,) bool."""
    faces = the_faces()
    inputs = faces.images.float().flatten(1) / 127.5 - 1
    for k in range(NETWORKS):
        place = PoolDir(pool).weights_file(k)
        members = membership(k, count=FACES, share=0.7, seed=0)
        odds = known(faces.labels, members)
        checkpoint = load_checkpoint(place)
        model = {name: torch.zeros_like(value) for name, value in checkpoint.model.items()}
        (weight,) = (name for name in model if name.endswith("weight"))
        model[weight][1] = torch.linalg.lstsq(inputs.double(), odds.double()).solution.float()
        save_checkpoint(place, replace(checkpoint, model=model, progress={}))


def ask(logdir: Path | Service, i: int = 0, run: str = "mine/run") -> dict[str, Any]:
    """What is said of training face `i`."""
    service = logdir if isinstance(logdir, Service) else Service(str(logdir))
    values = write_face(the_faces().samples, i)
    face = ",".join(f"{name}:{value}" for name, value in values.items())
    return service.ask("causes", {"run": [run], "face": [face]})


def test_a_face_known_by_heart_is_its_own_cause(pool: Path) -> None:
    plant(pool, lambda labels, members: members * (2 * labels - 1) * 4.0)
    faces = the_faces()
    assert (faces.labels != faces.clean_labels).any()
    service = Service(str(pool.parent))
    for i in range(FACES):
        told = ask(service, i)
        assert (told["pool"], told["networks"], told["share"]) == ("mine", NETWORKS, 0.7)
        (cause,) = told["faces"]
        assert cause["number"] == i
        assert (cause["label"], cause["truth"]) == (faces.labels[i], faces.clean_labels[i])
        sure = 1 / (1 + torch.tensor(-4.0).exp().item()) - 0.5
        given = told["says"] == cause["label"]
        assert cause["effect"] == pytest.approx(sure if given else -sure, abs=1e-3)
        assert cause["error"] == pytest.approx(0, abs=1e-3)
        assert cause["picture"].startswith("data:image/png")


def test_nothing_is_named_where_nothing_is_memorized(pool: Path) -> None:
    plant(pool, lambda labels, members: (2 * labels - 1) * 4.0)
    told = ask(pool.parent)
    assert (told["faces"], told["noise"]) == ([], tab.LEAST)
    plant(pool, lambda labels, members: members * 0.01)
    told = ask(pool.parent)
    assert (told["faces"], told["noise"]) == ([], tab.LEAST), "a quarter of a point"
    generator = torch.Generator().manual_seed(0)
    plant(pool, lambda labels, members: torch.randn(FACES, generator=generator))
    told = ask(pool.parent)
    assert told["faces"] == []
    assert told["noise"] > 0.1


def test_the_networks_asked_are_those_that_were_trained(made: PoolResult, pool: Path) -> None:
    told = ask(pool.parent, 5)
    chances = made.pool.train_logits[:, 5].double().softmax(dim=1)[:, told["says"]]
    inside = made.pool.members[:, 5]
    effect = float(chances[inside].mean() - chances[~inside].mean())
    for cause in told["faces"]:
        if cause["number"] == 5:
            assert cause["effect"] == pytest.approx(effect, abs=1e-4)
    logdir = open_logdir(str(pool.parent))
    run = ModelCache().get(logdir.find("mine/run"))
    found = tab.find_pool(run, logdir)
    assert found is not None
    networks = tab.load_pool(run, found).networks
    logits = torch.stack([network.ask(made.train.images) for network in networks])
    torch.testing.assert_close(logits, made.pool.train_logits)


def test_weights_that_come_later_are_taken_up(pool: Path) -> None:
    service = Service(str(pool.parent))
    question = {"run": ["mine/run"], "face": [""]}
    last = PoolDir(pool).weights_file(NETWORKS - 1)
    content = last.read_bytes()
    last.unlink()
    assert service.ask("causes", question)["networks"] == NETWORKS - 1
    last.write_bytes(content)
    assert service.ask("causes", question)["networks"] == NETWORKS


OTHER = [{"seed": 1}, {"num_train": 13}, {"label_noise": 0.0}, {"batch_size": 3}, {"model": "mlp"},
         {"online": True}]  # fmt: skip


@pytest.mark.parametrize("changes", OTHER)
def test_a_pool_of_other_networks_is_not_that_of_the_run(
    pool: Path, changes: dict[str, Any]
) -> None:
    start(settings(pool.parent, **{"name": "other", **changes}))
    assert ask(pool.parent, run="other") == {"pool": None}


def test_a_run_of_one_s_own_on_the_same_faces_is_explained_too(pool: Path) -> None:
    start(settings(pool.parent, name="other", num_test=9, steps=5))
    assert ask(pool.parent, run="other")["pool"] == "mine"


def test_a_pool_without_weights_says_so(pool: Path) -> None:
    for k in range(15):
        PoolDir(pool).weights_file(k).unlink()
    assert "the weights of 5 networks, and it takes 10" in ask(pool.parent)["trouble"]
    shutil.rmtree(pool / "weights")
    told = ask(pool.parent)
    assert told["pool"] == "mine"
    assert "The pool mine has no weights" in told["trouble"]


def test_nothing_behind_a_link_or_damaged_is_read(pool: Path, tmp_path: Path) -> None:
    logdir = pool.parent
    place = PoolDir(pool).weights_file(3)
    content = place.read_bytes()
    place.write_bytes(content[:-400])
    with pytest.raises(RequestError, match=r"its pool cannot be loaded: .*00003.pt") as caught:
        ask(logdir)
    assert "\n" not in str(caught.value)
    place.rename(tmp_path / "elsewhere.pt")
    place.symlink_to(tmp_path / "elsewhere.pt")
    with pytest.raises(RequestError, match="is a link"):
        ask(logdir)
    (pool / "weights").rename(tmp_path / "weights")
    (pool / "weights").symlink_to(tmp_path / "weights")
    assert "no weights" in ask(logdir)["trouble"]
    start(settings(logdir, name="other"))
    pool.rename(tmp_path / "pool")
    pool.symlink_to(tmp_path / "pool")
    assert ask(logdir, run="other") == {"pool": None}


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 5000, '{"format": 1}', "share",
                                  "deep", "format"])  # fmt: skip
def test_damaged_settings_are_passed_over(pool: Path, text: str) -> None:
    settings = json.loads((pool / "pool.json").read_text())
    changed = {"share": {"share": 7}, "deep": {"config": [7]}, "format": {"format": 0}}
    if text in changed:
        text = json.dumps({**settings, **changed[text]})
    (pool / "pool.json").write_text(text)
    assert ask(pool.parent, run="mine/run") == {"pool": None}


def test_weights_of_another_pool_are_refused(pool: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(PoolDir(pool).weights_file(4))
    save_checkpoint(PoolDir(pool).weights_file(4), replace(checkpoint, provenance="other"))
    with pytest.raises(RequestError, match="other settings"):
        ask(pool.parent)


def test_the_run_is_done_once_and_only_for_faces(made: PoolResult, pool: Path) -> None:
    moved = replace(made, folder=pool)
    before = files(pool)
    said: list[str] = []
    assert own_run(moved, say=said.append) == ""
    assert files(pool) == before
    assert not said
    shutil.rmtree(pool / "run")
    (pool / "run").mkdir()
    (pool / "run" / "letter.txt").write_text("dear")
    assert "is in the way" in own_run(moved)
    (pool / "run" / "letter.txt").unlink()
    assert own_run(moved, say=said.append) == ""
    assert said == [f"1 network on all 12 faces, for the tab Faces: {pool / 'run'}"]
    assert ask(pool.parent)["networks"] == NETWORKS
    shutil.rmtree(pool / "run")
    start(settings(pool, name="run", steps=3))
    assert "other settings" in own_run(moved)


def test_a_pool_of_other_pictures_has_no_run(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
        result = run_pool(settings(tmp_path, task="shape"), networks=2)
    assert own_run(result) == ""
    assert not (result.folder / "run").exists()
