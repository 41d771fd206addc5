"""`lab.watch` as callbacks of Lightning, transformers and Keras, each where it is installed."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lab import watch
from lab.core.run_dir import RunDir
from support.loops import network, pictures
from support.run_folders import same_state

TRAIN, TEST = pictures(40, 0), pictures(30, 1)

pytestmark = pytest.mark.filterwarnings("ignore")  # those libraries' own


def finished(folder: Path, steps: int) -> None:
    """Assert that a run was watched from its first step to its end."""
    run = RunDir(folder)
    assert run.summary()["status"] == "finished"
    assert run.summary()["accuracy"]["test"]["count"] == 30
    found = [line["step"] for line in run.metrics()]
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) > 2


def lightning_fit(
    callbacks: list[Any], folder: Path, *, breaks: bool = False, **given: Any
) -> nn.Module:
    """Train a small module with Lightning for 10 steps."""
    import lightning.pytorch as pl

    class Module(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)  # type: ignore[no-any-return]

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            if breaks and index == 3:
                raise ZeroDivisionError("by zero")
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
            self(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    module = Module()
    torch.manual_seed(3)
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=callbacks,
        default_root_dir=folder, **given,
    )  # fmt: skip
    loaders = [
        DataLoader(
            TensorDataset(*each), batch_size=8, shuffle=first,
            generator=torch.Generator().manual_seed(5),
        )
        for first, each in ((True, TRAIN), (False, TEST))
    ]  # fmt: skip
    trainer.fit(module, *loaders)
    return module


@pytest.fixture
def lightning() -> None:
    """Skip where it is not installed."""
    pytest.importorskip("lightning.pytorch", reason="lightning is not installed")


@pytest.mark.usefixtures("lightning")
def test_lightning(tmp_path: Path) -> None:
    plain = lightning_fit([], tmp_path)
    callback = watch.lightning(out=tmp_path / "run", every=2, quiet=True)
    watched = lightning_fit([callback], tmp_path)
    assert same_state(plain.state_dict(), watched.state_dict())
    finished(tmp_path / "run", 10)
    assert callback.verdict


@pytest.mark.usefixtures("lightning")
def test_lightning_that_accumulates_gradients_makes_fewer_steps(tmp_path: Path) -> None:
    """Two epochs of five batches: steps after 2, 4 and 5 of each."""
    plain = lightning_fit([], tmp_path, accumulate_grad_batches=2)
    callback = watch.lightning(out=tmp_path / "run", every=1, quiet=True)
    watched = lightning_fit([callback], tmp_path, accumulate_grad_batches=2)
    assert same_state(plain.state_dict(), watched.state_dict())
    assert [line["step"] for line in RunDir(tmp_path / "run").metrics()] == list(range(7))


@pytest.mark.usefixtures("lightning")
@pytest.mark.parametrize(("steps", "told"), [(2, 1), (3, 0)])
def test_a_step_of_several_batches_goes_through_more_examples(
    steps: int, told: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two batches of 8 for a step: two steps are 32 of 40 examples, three are all."""
    callback = watch.lightning(out=tmp_path / "run", pictures=False)
    lightning_fit([callback], tmp_path, accumulate_grad_batches=2, max_steps=steps)
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("go through 32 of the 40 training examples: all") == told
    assert said.count("go through") == told


@pytest.mark.usefixtures("lightning")
@pytest.mark.parametrize(("given", "told"), [({}, 0), ({"limit_train_batches": 2}, 1)])
def test_lightning_that_takes_a_part_of_an_epoch_is_told(
    given: dict[str, Any], told: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lightning_fit([watch.lightning(out=tmp_path / "run", pictures=False)], tmp_path, **given)
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("2 of 5 batches in each epoch") == told


@pytest.mark.usefixtures("lightning")
def test_lightning_that_fails(tmp_path: Path) -> None:
    callback = watch.lightning(out=tmp_path / "run", every=1, quiet=True)
    with pytest.raises(ZeroDivisionError):
        lightning_fit([callback], tmp_path, breaks=True)
    told = RunDir(tmp_path / "run").summary()
    assert told["status"] == "failed"
    assert "ZeroDivisionError: by zero" in told["verdict"]


def hugging_face_fit(callbacks: list[Any], folder: Path) -> nn.Module:
    """Train a tiny ViT with transformers' Trainer for 10 steps."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4, num_channels=1, num_labels=2,
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config)
    items = [{"pixel_values": x, "label": int(y)} for x, y in zip(*TRAIN, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "out"), num_train_epochs=2, per_device_train_batch_size=8,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, seed=1,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=items, callbacks=callbacks
    )
    trainer.train()
    return model  # type: ignore[no-any-return]


def test_hugging_face(tmp_path: Path) -> None:
    unseen = [{"pixel_values": x, "label": int(y)} for x, y in zip(*TEST, strict=True)]
    plain = hugging_face_fit([], tmp_path)
    callback = watch.hugging_face(test=unseen, out=tmp_path / "run", every=2, quiet=True)
    watched = hugging_face_fit([callback], tmp_path)
    assert same_state(plain.state_dict(), watched.state_dict())
    finished(tmp_path / "run", 10)
    assert callback.verdict
    with pytest.raises(ValueError, match=r"there is no test set .* watch\.hugging_face"):
        hugging_face_fit([watch.hugging_face(out=tmp_path / "other")], tmp_path)


def keras_fit(
    callbacks: list[Any],
    *,
    loss: str = "sparse_categorical_crossentropy",
    last: str | None = "softmax",
    **optimizer: Any,
) -> tuple[Any, Any]:
    """Train a small model with Keras on torch for 10 batches; its weights and its model."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="keras is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras computes with another backend than torch here")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(), keras.layers.ReLU(), keras.layers.Flatten(),
            keras.layers.Dropout(0.3), keras.layers.Dense(2, activation=last),
        ]
    )  # fmt: skip
    model.compile(optimizer=keras.optimizers.Adam(**optimizer), loss=loss)
    x, y = (each.numpy() for each in TRAIN)
    y = np.eye(2)[y] if loss == "categorical_hinge" else y
    model.fit(x.transpose(0, 2, 3, 1), y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    return [np.asarray(weight) for weight in model.get_weights()], model


def test_keras(tmp_path: Path) -> None:
    plain, _ = keras_fit([])
    unseen, labels = TEST[0].permute(0, 2, 3, 1).numpy(), TEST[1].numpy()
    callback = watch.keras(
        train=(TRAIN[0].permute(0, 2, 3, 1), TRAIN[1]), test=(unseen, labels),
        out=tmp_path / "run", every=2, quiet=True,
    )  # fmt: skip
    watched, model = keras_fit([callback])
    assert all(np.array_equal(one, other) for one, other in zip(plain, watched, strict=True))
    finished(tmp_path / "run", 10)
    told = RunDir(tmp_path / "run").summary()
    loss = model.evaluate(unseen, labels, verbose=0)
    assert told["loss"]["test"]["value"] == pytest.approx(loss, rel=1e-4)
    assert callback.verdict


def keras_watched(out: Path, **given: Any) -> Any:
    """A callback that measures after every step."""
    pytest.importorskip("keras", reason="keras is not installed")
    sets = {
        name: (each[0].permute(0, 2, 3, 1), each[1])
        for name, each in (("train", TRAIN), ("test", TEST))
    }
    return watch.keras(**sets, out=out, every=1, quiet=True, pictures=False, **given)


def test_keras_that_accumulates_gradients_makes_fewer_steps(tmp_path: Path) -> None:
    """Two epochs of five batches, two batches for an update."""
    keras_fit([keras_watched(tmp_path / "run")], gradient_accumulation_steps=2)
    assert [line["step"] for line in RunDir(tmp_path / "run").metrics()] == list(range(6))


def test_keras_with_a_loss_of_any_scores_is_measured_by_them(tmp_path: Path) -> None:
    callback = keras_watched(tmp_path / "run")
    _, model = keras_fit([callback], loss="categorical_hinge", last=None)
    scores = torch.from_numpy(model.predict(TEST[0].permute(0, 2, 3, 1).numpy(), verbose=0))
    told = RunDir(tmp_path / "run").summary()
    loss = float(nn.functional.cross_entropy(scores, TEST[1]))
    assert told["loss"]["test"]["value"] == pytest.approx(loss, rel=1e-4)
