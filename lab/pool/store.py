"""A pool's folder: its settings, and files of predictions and weights for each network.

pools/<name>/
  pool.json        settings, version of the pictures, digests of source files, share
  networks/        00000.npz, …: logits on all training and test examples, float32
  weights/         00000.pt, …: checkpoints of the weights, where they are kept
  run/             a run with the same settings on all training examples (`lab.pool.own_run`)
  scored/          00000.npz, …: scores of all training examples (`lab.pool.scored`)
  .lock            held by the process that works in the folder

What is read off (scores, pictures, the page) is written beside them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.core.atomic import replace_file, replace_text
from lab.core.config import Provenance, RunConfig, flag, parse_settings, to_json
from lab.core.locks import check_out, check_path, locked
from lab.core.run_dir import CONFIG
from lab.experiments.runner.grid import fields, in_words, setting
from lab.experiments.runner.jobs import ASIDE
from lab.models import changed_files
from lab.runs.provenance import another_content

SETTINGS, NETWORKS, WEIGHTS = "pool.json", "networks", "weights"

FORMAT = 1
"""Version of the folder's layout."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is kept of a trained network.

    Args:
        train_logits: float32 (N, C), on all training examples, members or not.
        test_logits: float32 (M, C), on the test examples.
        step: optimizer steps that it took.
        weights_of: the step of which it has the weights: the last one, or with early stopping that
            with the lowest loss on the validation set; -1: an earlier version has not noted it.
        fitted: whether it met the criterion on its training loss, where there is one.
        loss: the mean loss on its members in the end, in nats.
        scores: of each example (N,), by name, if it was trained on the whole training set.
        left_out: names of scores that it does not have, with the reasons.
        second_epochs: those of the second training that some of the scores are of; 0: none.
        weights: the content of a checkpoint with its weights; empty: they are not kept, or were not
            read.
    """

    train_logits: Tensor
    test_logits: Tensor
    step: int
    weights_of: int
    fitted: bool
    loss: float
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    second_epochs: int = 0
    weights: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """K networks' predictions: `members` (K, N) bool, `train_logits` (K, N, C), `test_logits`
    (K, M, C), and of each its `steps` (K,), the step `weights_of` (K,) which it has the weights,
    `fitted` (K,) bool and `losses` (K,) in nats. `networks` are their numbers."""

    networks: tuple[int, ...]
    members: Tensor
    train_logits: Tensor
    test_logits: Tensor
    steps: Tensor
    weights_of: Tensor
    fitted: Tensor
    losses: Tensor

    @property
    def notes_weights(self) -> bool:
        """Whether it is known of each network of which step it has the weights."""
        return bool((self.weights_of >= 0).all())

    @classmethod
    def of(cls, trained: Sequence[tuple[int, Tensor, Trained]]) -> Pool:
        """Of each network's number, its members (N,) bool, and what is kept of it."""
        numbers, members, kept = zip(*trained, strict=True)
        return cls(
            networks=tuple(numbers),
            members=torch.stack(members),
            train_logits=torch.stack([each.train_logits for each in kept]),
            test_logits=torch.stack([each.test_logits for each in kept]),
            steps=torch.tensor([each.step for each in kept]),
            weights_of=torch.tensor([each.weights_of for each in kept]),
            fitted=torch.tensor([each.fitted for each in kept]),
            losses=torch.tensor([each.loss for each in kept]),
        )

    def __len__(self) -> int:
        return len(self.networks)


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """What `pool.json` says: the settings of the networks, which pictures and source files they
    were trained with, and on which `share` of the examples each; `key` is that of the settings."""

    config: RunConfig
    provenance: Provenance
    share: float
    key: str

    @classmethod
    def parse(cls, text: str) -> PoolSettings:
        """Of the text of the file; `ValueError` in one line for another text."""
        try:
            stored = json.loads(text)
            if stored["format"] != FORMAT:
                raise ValueError("another version of the lab wrote it")
            config, provenance = parse_settings(json.dumps(stored["config"]))
            share, key = float(stored["share"]), str(stored["key"])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ValueError(str(error).replace(CONFIG, "its settings")) from None
        return cls(config=config, provenance=provenance, share=share, key=key)


@dataclass(frozen=True)
class PoolDir:
    """The folder of a pool at `path`, whether or not it exists yet."""

    path: Path

    @contextmanager
    def opened(
        self, config: RunConfig, provenance: Provenance, *, share: float, key: str
    ) -> Iterator[None]:
        """Hold the folder, made if there is none. `ValueError` if it is of other settings, or not
        a pool's."""
        check_out(check_path(self.path).parent)
        place = self.path / SETTINGS
        if not place.exists() and self.path.is_dir():
            foreign = [entry.name for entry in self.path.iterdir() if entry.name[0] != "."]
            if foreign:
                raise ValueError(
                    f"{self.path} is in the way: it has no {SETTINGS}, but"
                    f" {', '.join(sorted(foreign)[:3])}; choose another --name or --out"
                )
        (self.path / NETWORKS).mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            if place.exists():
                self._refuse_other(config, provenance, share=share, key=key)
            else:
                values = json.loads(to_json(config, provenance))
                text = {"format": FORMAT, "key": key, "share": share, "config": values}
                replace_text(place, json.dumps(text, indent=2) + "\n")
            yield

    def file(self, network: int) -> Path:
        """Where the predictions of a network are."""
        return self.path / NETWORKS / f"{network:05d}.npz"

    def weights_file(self, network: int) -> Path:
        """Where the weights of a network are, if they are kept."""
        return self.path / WEIGHTS / f"{network:05d}.pt"

    def write(self, network: int, trained: Trained) -> None:
        """Keep a network: its predictions, and before them its weights, if it has some. Each file
        is complete or absent."""
        if trained.weights:
            place = self.weights_file(network)
            place.parent.mkdir(exist_ok=True)
            replace_file(place, trained.weights)
        content = io.BytesIO()
        np.savez(
            content,
            train_logits=trained.train_logits.numpy(),
            test_logits=trained.test_logits.numpy(),
            step=np.int64(trained.step),
            weights_of=np.int64(trained.weights_of),
            fitted=np.bool_(trained.fitted),
            loss=np.float64(trained.loss),
        )
        replace_file(self.file(network), content.getvalue())

    def read(self, network: int) -> Trained | None:
        """A network that is kept, without its weights; None if there is none, or its file is
        damaged."""
        try:
            content = io.BytesIO(self.file(network).read_bytes())
            with np.load(content, allow_pickle=False) as kept:
                return Trained(
                    train_logits=torch.from_numpy(kept["train_logits"]),
                    test_logits=torch.from_numpy(kept["test_logits"]),
                    step=int(kept["step"]),
                    weights_of=int(kept.get("weights_of", -1)),
                    fitted=bool(kept["fitted"]),
                    loss=float(kept["loss"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def _refuse_other(
        self, config: RunConfig, provenance: Provenance, *, share: float, key: str
    ) -> None:
        place = self.path / SETTINGS
        try:
            stored = PoolSettings.parse(place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{place} cannot be read: {error}; choose another --name") from None
        then, now = stored.provenance.parameters, provenance.parameters
        other_network = then is not None and now is not None and then != now
        if stored.key == key and stored.share == share and not other_network:
            if changed := changed_files(
                stored.provenance.data_files, provenance.data_files or None
            ):
                raise ValueError(
                    f"{self.path} holds a pool that was begun when {another_content(changed)}, or"
                    " choose another --name"
                )
            return
        found = _differences(stored.config, config)
        if stored.share != share:
            found.append(f"--share {stored.share:g}, not {share:g}")
        if stored.provenance.world != provenance.world:
            found.append(f"pictures of version {stored.provenance.world}, not {provenance.world}")
        elif not found and stored.key != key:
            found.append("other source files")
        if other_network and not found:
            found.append(f"networks of {then:,} parameters, not {now:,}")
        raise ValueError(
            f"{self.path} holds a pool of other settings ({'; '.join(found)}): choose another"
            " --name"
        )


def _differences(then: RunConfig, now: RunConfig) -> list[str]:
    return [
        f"{flag(name)} {in_words(setting(then, name))}, not {in_words(setting(now, name))}"
        for name in fields()
        if name not in ASIDE and setting(then, name) != setting(now, name)
    ]
