"""`lab.watch`: inputs that a loop changes are told, and what chance makes of them is not."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy, interpolate, pad
from torch.utils.data import DataLoader, Dataset

from lab import watch
from lab.watching import Watcher

Feed = Callable[[nn.Module, Tensor, Tensor], Any]


def photos(count: int, seed: int, spread: float = 0.25) -> tuple[Tensor, Tensor]:
    """Smooth pictures in colour, (N, 3, 12, 12) from 0 to 1, with a mean of about a half."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 2
    coarse = torch.randn(count, 3, 4, 4, generator=generator)
    coarse[:, 0] += 0.5 * y[:, None, None]
    fine = interpolate(coarse, size=(12, 12), mode="bilinear")
    return (0.45 + spread * fine).clamp(0, 1), y


def table(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows of 6 columns of about the same range, of which the last ones are 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    y = (x[:, 0] > 0).long()
    x[:, 4:] = (x[:, 4:] > 1).float()
    return x + torch.tensor([2.0, 3, 2, 2, 0, 0]), y


class Drawn(Dataset[Any]):
    """Pictures with noise that is drawn each time."""

    def __init__(self, examples: tuple[Tensor, Tensor]) -> None:
        self.images, self.labels = examples
        self.transform: Callable[[Tensor], Tensor] = self.noisy

    def noisy(self, image: Tensor) -> Tensor:
        """Some noise, and a mirror image at random."""
        image = image.flip(-1) if torch.rand(()) < 0.5 else image
        return image + 0.1 * torch.randn_like(image)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index]), int(self.labels[index])


def network() -> nn.Module:
    """One that takes pictures of any size."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2)
    )


def told(
    out: Path,
    feed: Feed,
    *,
    data: Callable[[int, int], tuple[Tensor, Tensor]] = photos,
    count: int = 96,
    batch: int = 24,
    ordered: bool = False,
    model: nn.Module | None = None,
    mode: bool = True,
    **given: Any,
) -> tuple[list[str], Watcher]:
    """What is said of the inputs of a loop of one epoch that gives `feed` the network, a batch and
    its labels, and takes the mean of what it returns as the loss."""
    model = model or network()
    x, y = data(count, 0)
    given = {"train": (x, y), "test": data(60, 1), **given}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    torch.manual_seed(2)
    said = io.StringIO()
    with (
        redirect_stdout(said),
        watch(model, **given, out=out / "run", pictures=False, every=1000) as watcher,
    ):
        model.train(mode)
        places = torch.arange(len(x)) if ordered else torch.randperm(len(x))
        for chosen in torch.split(places, batch):
            optimizer.zero_grad()
            output = feed(model, x[chosen], y[chosen])
            cross_entropy(output, y[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    assert not vars(model)["_forward_pre_hooks"]
    return [each for each in said.getvalue().splitlines() if "the loop feeds" in each], watcher


def plain(change: Callable[[Tensor], Tensor]) -> Feed:
    return lambda model, x, y: model(change(x))


def crops(x: Tensor) -> Tensor:
    """Random crops with zeros around."""
    padded = pad(x, (2, 2, 2, 2))
    corners = torch.randint(0, 5, (len(x), 2)).tolist()
    return torch.stack(
        [row[:, i : i + 12, j : j + 12] for row, (i, j) in zip(padded, corners, strict=True)]
    )


def erased(x: Tensor) -> Tensor:
    """Zeros in place of a random square, a third of each picture."""
    x = x.clone()
    for row, (i, j) in zip(x, torch.randint(0, 5, (len(x), 2)).tolist(), strict=True):
        row[:, i : i + 7, j : j + 7] = 0
    return x


def mirrored(x: Tensor) -> Tensor:
    some = torch.rand(len(x)) < 0.5
    return torch.where(some[:, None, None, None], x.flip(-1), x)


def quarters(x: Tensor) -> Tensor:
    """Each turned by a quarter to the left or to the right."""
    left = torch.rand(len(x), 1, 1, 1) < 0.5
    return torch.where(left, x.rot90(1, (2, 3)), x.rot90(-1, (2, 3)))


def channels_last(count: int, seed: int) -> tuple[Tensor, Tensor]:
    x, y = photos(count, seed)
    return x.permute(0, 2, 3, 1), y


def flat() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(432, 2))


def inverted(x: Tensor) -> Tensor:
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, 1 - x, x)


def jittered(x: Tensor) -> Tensor:
    """Another brightness and contrast of each."""
    return x * (0.6 + 0.8 * torch.rand(len(x), 1, 1, 1)) + 0.2 * torch.randn(len(x), 1, 1, 1)


def mixed(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return model(0.7 * x + 0.3 * x.flip(0))  # type: ignore[no-any-return]


def attacked(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The inputs of an adversarial training."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cross_entropy(model(x), y), x)
    return model((x + 0.1 * slope.sign()).detach())  # type: ignore[no-any-return]


def own_norm(x: Tensor) -> Tensor:
    """Each picture by its own mean and spread."""
    spread = x.std(dim=(1, 2, 3), keepdim=True)
    return 0.3 * (x - x.mean(dim=(1, 2, 3), keepdim=True)) / spread


def low_contrast(count: int, seed: int) -> tuple[Tensor, Tensor]:
    return photos(count, seed, 0.1)


def many(count: int, seed: int) -> tuple[Tensor, Tensor]:
    return photos(8 * count, seed)


def linear() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(6, 2)


def sequences(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two numbers at each of twenty times (N, 20, 2)."""
    x = torch.randn(count, 20, 2, generator=torch.Generator().manual_seed(seed)).cumsum(dim=1)
    return x, (x[:, :4, 0].mean(dim=1) > 0).long()


def signals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """The same by channel (N, 2, 20)."""
    x, y = sequences(count, seed)
    return x.transpose(1, 2).contiguous(), y


def records(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """One number at each time (N, 20)."""
    x, y = sequences(count, seed)
    return x[:, :, 0].contiguous(), y


def wide_steps(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Many numbers at each of few times (N, 6, 30)."""
    x = torch.randn(count, 6, 30, generator=torch.Generator().manual_seed(seed)).cumsum(dim=1)
    return x, (x[:, 0].mean(dim=1) > 0).long()


def read_out(numbers: int = 40) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(numbers, 2))


def some_backwards(x: Tensor) -> Tensor:
    return torch.where((torch.rand(len(x)) < 0.5)[:, None, None], x.flip(1), x)


MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]

CHANGED: dict[str, tuple[Feed, dict[str, Any], str]] = {
    "halves": (plain(lambda x: (x - 0.5) / 0.5), {"data": low_contrast}, "as 2 x - 1, and it is"),
    "mean": (plain(lambda x: x - MEAN), {"data": low_contrast}, "x - 0.485; x - 0.456; x - 0.406"),
    "reversed": (plain(lambda x: x.flip(1)), {}, "channels in the order 2, 1, 0"),
    "reversed and normalized": (
        plain(lambda x: x.flip(1) * 2 - 1), {"data": low_contrast}, "2, 1, 0 and as 2 x - 1",
    ),
    "enlarged": (
        plain(lambda x: interpolate(x, scale_factor=2)), {}, "inputs of the shape (3, 24, 24)",
    ),
    "all mirrored": (plain(lambda x: x.flip(3)), {}, "left and right exchanged, and it is"),
    "all mirrored and normalized": (
        plain(lambda x: x.flip(3) * 2 - 1), {"data": low_contrast}, "exchanged and as 2 x - 1",
    ),
    "upside down": (plain(lambda x: x.flip(2)), {}, "model(x.flip(-2))"),
    "turned": (plain(lambda x: x.rot90(2, (2, 3))), {}, "model(x.flip((-2, -1)))"),
    "transposed": (plain(lambda x: x.transpose(2, 3)), {}, "rows and columns exchanged"),
    "quarter left": (plain(lambda x: x.rot90(1, (2, 3))), {}, "model(x.rot90(1, (-2, -1)))"),
    "quarter right": (plain(lambda x: x.rot90(3, (2, 3))), {}, "90 degrees to the right"),
    "channels last": (
        plain(lambda x: x.flip(2)), {"data": channels_last, "model": flat()}, "model(x.flip(-2))",
    ),
    "backwards": (
        plain(lambda x: x.flip(1)), {"data": sequences, "model": read_out()}, "model(x.flip(1))",
    ),
    "few steps backwards": (
        plain(lambda x: x.flip(1)), {"data": wide_steps, "model": read_out(180)},
        "model(x.flip(1))",
    ),
    "signals backwards": (
        plain(lambda x: x.flip(2)), {"data": signals, "model": read_out()}, "in reverse order, and",
    ),
    "records backwards": (
        plain(lambda x: x.flip(1)), {"data": records, "model": read_out(20)}, "model(x.flip(1))",
    ),
    "sampled and turned": (plain(lambda x: x.flip(2)), {"data": many, "most": 96}, "upside down"),
    "each by itself": (plain(own_norm), {}, "normalized by its own mean and spread"),
    "mirrored, too": (plain(lambda x: mirrored(x) - MEAN), {}, "as x - 0.485"),
    "bfloat16": (
        plain(lambda x: (x * 2 - 1).bfloat16().float()), {"data": low_contrast}, "as 2 x - 1",
    ),
    "redrawn": (
        plain(lambda x: mirrored(x) + 0.1 * torch.randn_like(x) - 0.6),
        {"train": Drawn(low_contrast(96, 0)), "data": low_contrast},
        "inputs with a mean of -0.1",
    ),
    "sampled": (plain(lambda x: x.flip(1)), {"data": many, "most": 96}, "order 2, 1, 0"),
    "columns": (plain(lambda x: x - x.mean(0)), {"data": table, "model": linear()}, "a mean of"),
    "in eval mode": (plain(lambda x: x * 2 - 1), {"data": low_contrast, "mode": False}, "2 x - 1"),
    "forward does more": (
        plain(lambda x: x),
        {"data": low_contrast, "forward": lambda model, x: model(2 * x - 1)},
        "as 0.5 x + 0.5",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("feed", "given", "said"), CHANGED.values(), ids=CHANGED)
def test_inputs_that_the_loop_changes_are_told(
    feed: Feed, given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found, watcher = told(tmp_path, feed, **given)
    assert len(found) == 1
    assert said in found[0]
    assert "in forward= too, as in lambda model, x: model(" in found[0]
    assert watcher.verdict.startswith("The loop fed it inputs of another scale, shape or order")


def with_test_pictures(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Evaluates in eval mode and keeps gradients, optimizes a picture, and trains."""
    model.eval()
    model(photos(60, 1)[0])
    model(torch.zeros(60, 3, 12, 12, requires_grad=True))
    model.train()
    return model(x)  # type: ignore[no-any-return]


def of_two_sizes(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    side = int(torch.randint(8, 16, ()))
    return model(interpolate(x, size=(side, side)))  # type: ignore[no-any-return]


def by_class(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of five classes of other brightness, class by class, of which few are measured."""
    x, y = photos(40 * count, seed, 0.05)
    y = torch.arange(len(y)) * 5 // len(y)
    return x + 0.4 * y[:, None, None, None], y % 2


def twos(x: Tensor) -> Tensor:
    """One in three in grey, another one with its channels in another order."""
    x = x.clone()
    x[::3] = x[::3].mean(1, keepdim=True)
    x[1::3] = x[1::3, torch.randperm(3)]
    return x


UNCHANGED: dict[str, tuple[Feed, dict[str, Any]]] = {
    "as it is": (plain(lambda x: x), {}),
    "in order": (plain(lambda x: x), {"ordered": True}),
    "copied": (plain(lambda x: x.clone(memory_format=torch.channels_last)), {}),
    "bfloat16": (plain(lambda x: x.bfloat16().float()), {}),
    "float16": (plain(lambda x: x.half().float()), {}),
    "bytes": (plain(lambda x: (x * 255).byte() / 255), {}),
    "mirrored": (plain(mirrored), {}),
    "some backwards": (plain(some_backwards), {"data": sequences, "model": read_out()}),
    "signals in order": (plain(lambda x: x), {"data": signals, "model": read_out()}),
    "quarters": (plain(quarters), {}),
    "mirrored and jittered": (plain(lambda x: jittered(mirrored(x))), {}),
    "mirrored upside down": (plain(lambda x: mirrored(x.flip(2))), {}),
    "cropped": (plain(crops), {"data": low_contrast}),
    "erased": (plain(erased), {"data": low_contrast}),
    "jittered": (plain(jittered), {}),
    "darker": (plain(lambda x: x * torch.rand(len(x), 1, 1, 1)), {}),
    "noise": (plain(lambda x: x + 0.3 * torch.randn_like(x)), {}),
    "little noise": (plain(lambda x: x + 0.003 * torch.randn_like(x)), {}),
    "grey and mixed": (plain(twos), {}),
    "inverted": (plain(inverted), {}),
    "a little": (plain(lambda x: 0.95 * x + 0.02), {}),
    "left out": (plain(lambda x: x * (torch.rand(len(x), 1, 1, 1) < 0.5)), {"data": low_contrast}),
    "dropped": (plain(lambda x: x * (torch.rand_like(x) < 0.7)), {"data": low_contrast}),
    "mixup": (mixed, {}),
    "attacked": (attacked, {}),
    "other sizes": (of_two_sizes, {}),
    "redrawn": (
        plain(lambda x: mirrored(x) + 0.1 * torch.randn_like(x)), {"train": Drawn(photos(96, 0))},
    ),
    "clean": (
        plain(lambda x: mirrored(x) + 0.1 * torch.randn_like(x)),
        {"train": Drawn(photos(96, 0)), "clean": lambda x: x},
    ),
    "sampled": (plain(lambda x: x), {"data": many, "most": 96}),
    "sampled and mirrored": (plain(mirrored), {"data": many, "most": 96}),
    "class by class": (plain(lambda x: x), {"data": by_class, "most": 60, "ordered": True}),
    "evaluated": (with_test_pictures, {}),
    "columns": (plain(lambda x: x), {"data": table, "model": linear()}),
    "noisy columns": (
        plain(lambda x: x + 0.3 * torch.randn_like(x)), {"data": table, "model": linear()},
    ),
    "eval mode": (plain(lambda x: x), {"mode": False}),
    "given to forward": (
        plain(lambda x: x * 2 - 1), {"forward": lambda model, x: model(2 * x - 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("feed", "given"), UNCHANGED.values(), ids=UNCHANGED)
def test_inputs_as_they_are_and_random_changes_are_not_told(
    feed: Feed, given: dict[str, Any], tmp_path: Path
) -> None:
    found, watcher = told(tmp_path, feed, **given)
    assert not found
    assert "inputs of another scale" not in watcher.verdict


def test_rows_that_the_network_flattens_itself_have_no_other_shape(tmp_path: Path) -> None:
    feeds = plain(lambda x: x.flatten(1)), plain(lambda x: x.flatten(1) * 2 - 1)
    for number, feed in enumerate(feeds):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(432, 2))
        found, _ = told(tmp_path / str(number), feed, model=model, data=low_contrast)
        assert len(found) == number


def test_batches_that_are_padded_anew_have_no_other_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records of 3 to 9 moments, of which a batch of all is longer than that of a few."""
    generator = torch.Generator().manual_seed(0)
    items = [(torch.randn(3 + i % 7, 3, generator=generator), i % 2) for i in range(64)]

    def collated(batch: list[Any]) -> tuple[Tensor, Tensor]:
        rows = nn.utils.rnn.pad_sequence([x for x, _ in batch], batch_first=True)
        return rows, torch.tensor([y for _, y in batch])

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Any:
            return self.inner(x.mean(dim=1))

    model = Mean()
    loader: Any = DataLoader(items, batch_size=64, collate_fn=collated)  # type: ignore[arg-type]
    short = [item for item in items if len(item[0]) < 7]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with watch(model, train=loader, test=loader, out=tmp_path / "run") as watcher:
        for k in range(4):
            x, y = collated(short[8 * k : 8 * k + 8])
            cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    assert "the loop feeds" not in capsys.readouterr().out


def test_gradients_of_each_example_are_taken_in_peace(tmp_path: Path) -> None:
    """With torch.func.vmap, as for differential privacy: what the network gets there is one row of
    many, and cannot be kept."""
    torch.manual_seed(0)
    x, y = torch.rand(40, 3, 8, 8), torch.arange(40) % 2
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    parameters = {name: each.detach().clone() for name, each in model.named_parameters()}

    def loss(weights: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, weights, (one[None],)), label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    with watch(
        model, train=(x, y), test=(x.flip(3), y), out=tmp_path / "run", every=10, quiet=True
    ) as watcher:
        for _ in range(30):
            found = each(parameters, x[:20], y[:20])
            for name, weight in model.named_parameters():
                weight.data -= 0.1 * found[name].mean(dim=0)
                parameters[name] = weight.detach().clone()
            watcher()
    assert watcher.metrics["accuracy/train"].count == 40


@pytest.mark.parametrize("every", [8, 1000])
@pytest.mark.parametrize("first", ["scaled", "smaller", "always"])
def test_inputs_that_are_others_at_first_only_are_taken_back(
    first: str, every: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of progressive resizing, or of training on something else before."""
    x, y = low_contrast(96, 0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with watch(
        model, train=(x, y), test=low_contrast(60, 1), out=tmp_path / "run", pictures=False,
        every=every,
    ) as watcher:  # fmt: skip
        for step in range(40):
            chosen = torch.randperm(len(x))[:24]
            fed = x[chosen]
            if first == "always" or step < 20:
                fed = interpolate(fed, size=(8, 8)) if first == "smaller" else 2 * fed - 1
            optimizer.zero_grad()
            cross_entropy(model(fed), y[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    said = capsys.readouterr().out
    assert said.count("the loop feeds the model ") == 1
    assert said.lower().count("the loop now feeds the model inputs as") == (first != "always")
    assert watcher.verdict.startswith("The loop fed it inputs") == (first == "always")
    assert not vars(model)["_forward_pre_hooks"]


def test_weights_outside_of_the_network_are_not_taken_for_untrained_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = photos(96, 0)
    model = network()
    weights = {k: v.detach().clone().requires_grad_() for k, v in model.named_parameters()}
    forwards: dict[str, Any] = {
        "own": lambda model, v: functional_call(model, weights, (v,)),
        "forgotten": None,
        "still": lambda model, v: model(v),
    }
    for name, forward in forwards.items():
        optimizer = torch.optim.SGD(weights.values(), lr=0.1)
        with watch(
            model, train=(x, y), test=photos(60, 1), out=tmp_path / name, forward=forward, every=10
        ) as watcher:
            for _ in range(30):
                optimizer.zero_grad()
                logits = functional_call(model, weights, (x,))
                cross_entropy(logits, y).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                watcher()
        told = "none of the weights" in capsys.readouterr().out
        assert told == (name != "own")
        assert watcher.verdict.startswith("None of its weights") == (name != "own")


@pytest.mark.parametrize("spoiled", ["nan", "outlier"])
@pytest.mark.parametrize(
    ("change", "what"), [(lambda x: x - 10, "as x - 10"), (lambda x: 1.5 * x, "as 1.5 x")]
)
def test_a_change_is_told_though_one_number_is_missing_or_far_away(
    change: Callable[[Tensor], Tensor], what: str, spoiled: str, tmp_path: Path
) -> None:
    def rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
        x = 10 + 3 * torch.randn(count, 20, generator=torch.Generator().manual_seed(seed))
        x[3, 5] = torch.nan if spoiled == "nan" else 99999.0
        return x, torch.arange(count) % 2

    class Imputing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(20, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.nan_to_num(0.0).clamp(max=50))  # type: ignore[no-any-return]

    said, _ = told(tmp_path, plain(change), data=rows, model=Imputing())
    assert len(said) == 1
    assert f"its training examples {what}" in said[0]
    said, _ = told(tmp_path / "same", plain(lambda x: x), data=rows, model=Imputing())
    assert not said


@pytest.mark.parametrize("scaled", [False, True])
def test_complex_inputs_are_compared_too(scaled: bool, tmp_path: Path) -> None:
    def signals(count: int, seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, 16, dtype=torch.complex64, generator=generator), (
            torch.arange(count) % 2
        )

    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(32, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.view_as_real(x).flatten(1))  # type: ignore[no-any-return]

    said, _ = told(tmp_path, plain(lambda x: 5 * x if scaled else x), data=signals, model=Complex())
    assert [("its training examples as 5 x" in each) for each in said] == [True] * scaled


@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_one_column_that_the_loop_scales_is_told(scaled: bool, tails: bool, tmp_path: Path) -> None:
    def amounts(count: int, seed: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 20, generator=torch.Generator().manual_seed(seed))
        x[:, 7] = 300 * x[:, 7].exp() if tails else 100 + 20 * x[:, 7]
        return x, torch.arange(count) % 2

    def change(x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 7] = (x[:, 7] - 100) / 20 if scaled else x[:, 7]
        return x

    model = nn.Sequential(nn.BatchNorm1d(20), nn.Linear(20, 2))
    said, _ = told(tmp_path, plain(change), data=amounts, model=model, count=200, batch=32)
    assert [
        "inputs of which number 7 goes" in each or "of their number 7" in each for each in said
    ] == [True] * scaled


@pytest.mark.parametrize("shape", [(24, 4), (4, 24)])
def test_one_place_of_a_record_that_the_loop_scales_is_told_as_it_is_counted(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    def records(count: int, seed: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
        return x, torch.arange(count) % 2

    def change(x: Tensor) -> Tensor:
        x = x.flatten(1).clone()
        x[:, 22] *= 20
        return x.reshape(-1, *shape)

    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(96), nn.Linear(96, 2))
    said, _ = told(tmp_path, plain(change), data=records, model=model, count=200, batch=32)
    assert ["inputs of which number 22 goes" in each for each in said] == [True]


@pytest.mark.parametrize("is_noisy", [False, True])
def test_records_that_the_loop_transposes_are_told(is_noisy: bool, tmp_path: Path) -> None:
    """Which is also told of a network that takes both, and of noise besides."""

    def records(count: int, seed: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 20, 6, generator=torch.Generator().manual_seed(seed))
        return x, torch.arange(count) % 2

    def change(x: Tensor) -> Tensor:
        return (x + 0.5 * is_noisy * torch.randn(x.shape)).transpose(1, 2)

    model = nn.Sequential(nn.Flatten(), nn.Linear(120, 2))
    said, found = told(tmp_path, plain(change), data=records, model=model, count=200, batch=32)
    shapes = "inputs of the shape (6, 20), and it is measured on inputs of (20, 6)"
    order = "its training examples with their axes in another order (x.permute(0, 2, 1))"
    assert [shapes in each for each in said] == [is_noisy]
    assert [order in each for each in said] == [not is_noisy]
    assert found.verdict.startswith("The loop fed it inputs of another scale, shape or order")
