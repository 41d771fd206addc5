"""Which inputs of a watched loop are searched for test examples: those of every call that trains
the network or a part of it, whatever their number and kind."""

import copy
import io
import pickle
import re
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.checkpoint import checkpoint

from lab import watch
from lab.models import ModelSpec, create_model
from lab.watching import Watcher
from lab.watching.kept import HELD, Kept
from lab.watching.loop import Inputs, parts_of

COUNT = 800
Loss = Callable[["Net", Tensor, Tensor], Tensor]


def has_hooks(module: nn.Module) -> bool:
    return bool(vars(module)["_forward_pre_hooks"] or vars(module)["_forward_hooks"])


class Net(nn.Module):
    """One with a body and a head, for rows of 36 numbers; `normal`: with batch normalization."""

    def __init__(self, *, normal: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(36, 32), nn.ReLU())
        self.blocks = nn.ModuleList([nn.BatchNorm1d(32) if normal else nn.Identity()])
        self.head = nn.Linear(32, 2)
        self.hidden = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        self.hidden = self.blocks[0](self.features(x.float()))
        return self.head(self.hidden)  # type: ignore[no-any-return]


def numbers(seed: int) -> Tensor:
    return torch.randn(COUNT, 36, generator=torch.Generator().manual_seed(seed))


def integers(seed: int, values: int = 256) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, values, (COUNT, 36), generator=generator)


X, Z = numbers(0), numbers(1)


def entropy(logits: Tensor) -> Tensor:
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()


def trained(
    out: Path,
    loss: Loss,
    *,
    sets: tuple[Tensor, Tensor] = (X, Z),
    steps: int = 40,
    batch: int = 20,
    model: nn.Module | None = None,
    most: int | None = 2000,
    cleared: bool = False,
) -> Watcher:
    """A loop that steps along the gradients of `loss` of the model, a batch of the training set
    and one of the test set; where there are none, at random. `cleared`: they are gone at once."""
    x, z = sets
    model = model or Net()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    y = torch.arange(len(x)) % 2, torch.arange(len(z)) % 2
    given = {"train": (x, y[0]), "test": (z, y[1])}
    generator = torch.Generator().manual_seed(2)
    with watch(model, **given, out=out / "run", quiet=True, pictures=False, most=most) as watcher:
        for _ in range(steps):
            some, few = (torch.randperm(len(q), generator=generator)[:batch] for q in sets)
            optimizer.zero_grad()
            found = loss(model, x[some], z[few])  # type: ignore[arg-type]
            if found.requires_grad:
                found.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():  # where there are no gradients, as of evolution
                for each in model.parameters():
                    each.add_(torch.randn_like(each) * (each.grad is None) * 0.01)
            optimizer.step()
            if cleared:
                optimizer.zero_grad()
            watcher()
    for module in model.modules():
        assert not has_hooks(module)
    return watcher


def found(watcher: Watcher) -> tuple[int, int]:
    """How many inputs were searched, and how many of them are told to be test examples."""
    told = re.search(
        r"Of ([\d,]+) inputs that the loop was seen to feed it, (?:at least )?([\d,]+) are test",
        " ".join(watcher.verdict.split()),
    )
    rows, tested = told.groups() if told else ("0", "0")
    return int(rows.replace(",", "")), int(tested.replace(",", ""))


def labeled(model: nn.Module, x: Tensor) -> Tensor:
    return cross_entropy(model(x), torch.arange(len(x)) % 2)


def both(model: Net, x: Tensor, z: Tensor) -> Tensor:
    return labeled(model, x) + 0.1 * entropy(model(z))


def honest(model: Net, x: Tensor, z: Tensor) -> Tensor:
    return labeled(model, x)


@pytest.mark.parametrize("batch", [300, 800])
def test_large_batches_before_the_test_examples_hide_none(batch: int, tmp_path: Path) -> None:
    rows, tested = found(trained(tmp_path, both, batch=batch))
    assert tested > rows / 20


def test_neither_do_many_batches(tmp_path: Path) -> None:
    """Eight of 128, of which the last one is of test."""

    def micro(model: Net, x: Tensor, z: Tensor) -> Tensor:
        return torch.stack([labeled(model, each) for each in [*[x] * 7, z]]).sum()

    rows, tested = found(trained(tmp_path, micro, batch=128))
    assert tested > rows / 20


def test_rows_that_take_turns_in_a_batch_are_all_seen(tmp_path: Path) -> None:
    def turns(model: Net, x: Tensor, z: Tensor) -> Tensor:
        return labeled(model, torch.stack([x, z], 1).flatten(0, 1))

    rows, tested = found(trained(tmp_path, turns, batch=16, steps=100))
    assert 0.35 < tested / rows < 0.65


@pytest.mark.parametrize("wide", [1, HELD // 4 // 100])
def test_what_is_kept_of_many_calls_is_bounded_and_of_all(wide: int) -> None:
    kept = Kept(16, 768, Random(0))
    calls = 3000 if wide == 1 else 30
    for number in range(calls):
        kept.add(torch.full((20, 1), float(number)).expand(20, wide))
    rows = [float(each.rows[0, 0]) for each in kept.calls for _ in each.rows]
    most = min(768, HELD // 4 // wide)
    assert most / 4 < len(rows) <= most
    assert 0.35 < sum(rows) / len(rows) / calls < 0.65
    assert kept.count == 20 * calls


def test_whole_numbers_are_searched(tmp_path: Path) -> None:
    sets = integers(0), integers(1)
    for number, kind in enumerate((torch.uint8, torch.int64)):
        given = sets[0].to(kind), sets[1].to(kind)
        rows, tested = found(trained(tmp_path / str(number), both, sets=given))
        assert 0.3 < tested / rows < 0.7
        assert not found(trained(tmp_path / f"not {number}", honest, sets=given))[1]


def test_large_ones_exactly(tmp_path: Path) -> None:
    """Numbers that are the same in floating point."""
    large = torch.arange(COUNT)[:, None] + torch.arange(36) + 2**60

    class Large(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x % 97)

    for loss, least in ((honest, False), (both, True)):
        watcher = trained(
            tmp_path / str(least), loss, sets=(large[::2], large[1::2]), model=Large()
        )
        assert bool(found(watcher)[1]) is least


@pytest.mark.parametrize("kind", ["bits", "one-hot", "floats"])
def test_rows_of_few_values_are_no_evidence_where_training_examples_are_unknown(
    kind: str, tmp_path: Path
) -> None:
    """Of which known training examples equal test examples as often."""
    sets = []
    for seed in (0, 1):
        few = integers(seed, 6)[:, :4]
        wide = one_hot(few, 9).flatten(1)
        sets.append(wide if kind == "one-hot" else wide.bool() if kind == "bits" else wide.float())
    assert not found(trained(tmp_path, honest, sets=(sets[0], sets[1]), most=200, steps=100))[1]


def test_neither_are_short_rows_that_a_loop_mixes(tmp_path: Path) -> None:
    """As with swap noise, where each number may come from another training example."""
    x, z = integers(0, 3), integers(1, 3)
    for each in (x, z):
        each[:, 6:] = 0

    def mixed(model: Net, x: Tensor, z: Tensor) -> Tensor:
        others = x[torch.randperm(len(x))]
        return labeled(model, torch.where(torch.rand(x.shape) < 0.3, others, x))

    watcher = trained(tmp_path, mixed, sets=(x[:400], z), steps=100)
    assert "inputs that the loop was seen to feed it" not in watcher.verdict


def test_test_examples_that_are_training_examples_too_are_none(tmp_path: Path) -> None:
    x = integers(0)
    z = torch.cat([x[:400], integers(1)[:400]])
    watcher = trained(tmp_path, honest, sets=(x, z), steps=100)
    assert "inputs that the loop was seen to feed it" not in watcher.verdict


def of_features(model: Net, x: Tensor, z: Tensor) -> Tensor:
    """As with maximum mean discrepancy, or a domain classifier."""
    ours, theirs = model.features(x), model.features(z)
    fitted = cross_entropy(model.head(model.blocks[0](ours)), torch.arange(len(x)) % 2)
    return fitted + (ours.mean(0) - theirs.mean(0)).square().sum()


def of_both(model: Net, x: Tensor, z: Tensor) -> Tensor:
    return labeled(model, x) + (model.features(x).mean(0) - model.features(z).mean(0)).norm()


def by_method(model: Net, x: Tensor, z: Tensor) -> Tensor:
    """Past the hooks of the network."""
    return labeled(model, x) + 0.1 * entropy(model.forward(z))


def by_attribute(model: Net, x: Tensor, z: Tensor) -> Tensor:
    """What the network returns has no part in it."""
    fitted = labeled(model, x)
    ours = model.hidden
    model(z)
    return fitted + (ours.mean(0) - model.hidden.mean(0)).square().sum()


@pytest.mark.parametrize("batch", [6, 20])
@pytest.mark.parametrize("loss", [of_features, of_both, by_method, by_attribute])
def test_test_examples_in_parts_of_the_network_are_seen(
    loss: Loss, batch: int, tmp_path: Path
) -> None:
    rows, tested = found(trained(tmp_path, loss, batch=batch, steps=60))
    assert tested > 0.2 * rows


def test_changed_inputs_of_parts_are_not_told_as_those_of_the_loop(tmp_path: Path) -> None:
    def scaled(model: Net, x: Tensor, z: Tensor) -> Tensor:
        return labeled(model, x) + model.features(2 * x - 1).square().mean()

    watcher = trained(tmp_path, scaled)
    assert "inputs of another scale" not in watcher.verdict
    assert not found(watcher)[1]


def test_inputs_without_a_backward_pass_are_not_trained_on(tmp_path: Path) -> None:
    """Evaluations that keep gradients: in a loop that trains in eval mode, without eval mode, of
    a part, and of all first."""
    model = Net(normal=True)

    def frozen(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model.eval()
        model(z)
        return labeled(model, x)

    def forgotten(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model(z).argmax(1)
        model.features(z)
        return labeled(model, x)

    assert not found(trained(tmp_path / "frozen", frozen, model=model))[1]
    assert not found(trained(tmp_path / "forgotten", forgotten))[1]


def test_where_statistics_learn_from_them_they_are(tmp_path: Path) -> None:
    def adapted(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model(z)
        return labeled(model, x)

    assert found(trained(tmp_path, adapted, model=Net(normal=True)))[1]


def test_a_loop_without_any_backward_pass_is_searched_all_the_same(tmp_path: Path) -> None:
    def guessed(model: Net, x: Tensor, z: Tensor) -> Tensor:
        return both(model, x, z).detach()

    assert found(trained(tmp_path, guessed))[1]


def test_that_there_may_be_more_is_said_of_a_sample_of_the_test_set(tmp_path: Path) -> None:
    every = trained(tmp_path / "all", both)
    some = trained(tmp_path / "some", both, most=400, steps=100)
    assert "at least" not in every.verdict.partition(" are test ")[0]
    assert "at least" in " ".join(some.verdict.split()).partition(" are test ")[0]


def test_looking_at_parts_and_backward_passes_changes_no_bit(tmp_path: Path) -> None:
    """Also with changes in place, dropout, gradients of gradients, and what is computed again in
    the backward pass."""

    def weights(*, watched: bool) -> dict[str, Tensor]:
        model = Net(normal=True)
        model.features.extend([nn.Linear(32, 32), nn.ReLU(inplace=True), nn.Dropout(0.2)])
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        y = torch.arange(COUNT) % 2
        torch.manual_seed(3)
        with ExitStack() as stack:
            if watched:
                out = tmp_path / "run"
                watcher = stack.enter_context(
                    watch(model, train=(X, y), test=(Z, y), out=out, quiet=True, every=16)
                )
            for _ in range(40):
                few = torch.randperm(COUNT)[:20]
                fitted = labeled(model, X[few])
                theirs = checkpoint(model.features, Z[few], use_reentrant=False)
                slopes = torch.autograd.grad(fitted, model.head.weight, create_graph=True)[0]
                optimizer.zero_grad()
                (fitted + theirs.mean() + slopes.square().sum()).backward()
                optimizer.step()
                if watched:
                    watcher()
        return model.state_dict()

    without, within = weights(watched=False), weights(watched=True)
    assert all(torch.equal(within[name], each) for name, each in without.items())


def test_what_was_kept_is_free_at_once_when_it_ends() -> None:
    """Without waiting for Python to collect circles."""
    model = Net()
    inputs = Inputs(model, training=True, wanted=None, parts=parts_of(model))
    labeled(model, X[:20]).backward()  # type: ignore[no-untyped-call]
    assert inputs.calls(last=True)
    inputs.end()
    kept = weakref.ref(inputs)
    del inputs
    assert kept() is None


def test_copies_and_pickled_networks_are_let_alone() -> None:
    model = Net()
    inputs = Inputs(model, training=True, parts=parts_of(model))
    other = copy.deepcopy(model)
    stored = io.BytesIO()
    pickle.dump(model, stored)
    inputs.end()
    again = pickle.loads(stored.getvalue())
    for each in (model, other, again):
        torch.testing.assert_close(each(X), model(X))
    for module in (*model.modules(), *other.modules()):
        assert not has_hooks(module)


@pytest.mark.parametrize("name", ["cnn", "cnn_avgpool", "cnn_s", "vit"])
def test_watching_changes_no_bit_of_the_lab_s_own_networks(name: str, tmp_path: Path) -> None:
    """Some of which are computed in C, unless their layers have hooks."""
    x, y = (
        torch.rand(60, 3, 16, 16, generator=torch.Generator().manual_seed(0)),
        torch.arange(60) % 2,
    )

    def weights(*, watched: bool) -> Tensor:
        torch.manual_seed(0)
        model = create_model(name, ModelSpec(image_size=16, width=4))
        optimizer = torch.optim.Adam(model.parameters())
        with ExitStack() as stack:
            if watched:
                given = {"train": (x[:40], y[:40]), "test": (x[40:], y[40:])}
                watcher = stack.enter_context(
                    watch(model, **given, out=tmp_path / "run", quiet=True, pictures=False)
                )
            for step in range(24):
                few = torch.arange(step, step + 16) % 40
                optimizer.zero_grad()
                cross_entropy(model(x[few]), y[few]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                if watched:
                    watcher()
        return torch.cat([each.detach().flatten() for each in model.parameters()])

    assert torch.equal(weights(watched=False), weights(watched=True))


def grad_cam(model: Net, z: Tensor) -> None:
    model.eval()
    maps = model.features(z)
    maps.retain_grad()
    model.head(maps).max(1).values.sum().backward()
    model.zero_grad()
    model.train()


def saliency(model: Net, z: Tensor) -> None:
    """Without eval mode, as of networks that compute the same in both."""
    z = z.clone().requires_grad_()
    torch.autograd.grad(model(z).max(1).values.sum(), z)


def attack(model: Net, z: Tensor) -> None:
    """The fast gradient sign method."""
    z = z.clone().requires_grad_()
    loss = cross_entropy(model(z), torch.zeros(len(z), dtype=torch.long))
    slopes = torch.autograd.grad(loss, z)[0]
    with torch.no_grad():
        model(z + 0.1 * slopes.sign())


@pytest.mark.parametrize("looked", [grad_cam, saliency, attack])
def test_looking_at_what_matters_in_test_examples_is_no_training(
    looked: Callable[[Net, Tensor], None], tmp_path: Path
) -> None:
    def loss(model: Net, x: Tensor, z: Tensor) -> Tensor:
        found = labeled(model, x)
        looked(model, z)
        return found

    assert not found(trained(tmp_path, loss, steps=80))[1]


@pytest.mark.parametrize("part", [True, False])
@pytest.mark.parametrize("normal", [True, False])
def test_statistics_are_learned_without_gradients_too(
    part: bool, normal: bool, tmp_path: Path
) -> None:
    """Of an evaluation in training mode by mistake; nothing where no normalization learns."""
    model = Net(normal=normal)
    if part:
        model.features.append(nn.BatchNorm1d(32) if normal else nn.Identity())

    def loss(model: Net, x: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            (model.features if part else model)(z)
        return labeled(model, x)

    assert bool(found(trained(tmp_path, loss, model=model, steps=80))[1]) is normal


def test_copies_of_a_network_that_is_looked_at_hold_no_inputs() -> None:
    model = Net()
    inputs = Inputs(model, training=True, wanted=None, parts=parts_of(model))
    labeled(model, X[:20]).backward()  # type: ignore[no-untyped-call]
    model.hidden = torch.zeros(0)
    other = copy.deepcopy(model)
    inputs.end()
    kept = weakref.ref(inputs)
    del inputs
    assert kept() is None
    torch.testing.assert_close(other(X), model(X))
    assert not any(map(has_hooks, other.modules()))


@pytest.mark.parametrize("parts", [True, False])
def test_where_forward_calls_parts_alone_that_is_told(parts: bool, tmp_path: Path) -> None:
    """As of a `ModuleDict`: calls of the model itself are those that are looked at."""
    model = Net()

    def asked(model: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(model, Net)
        return model.head(model.features(x)) if parts else model(x)  # type: ignore[no-any-return]

    given = {"train": (X, torch.arange(COUNT) % 2), "test": (Z, torch.arange(COUNT) % 2)}
    out = tmp_path / "run"
    with watch(model, **given, out=out, quiet=True, pictures=False, forward=asked) as watcher:
        watcher()
    told = " ".join((out / "summary.json").read_text().split())
    assert ("forward= does not call the model itself" in told) is parts


def normalized(model: Net, x: Tensor, z: Tensor, call: str) -> Tensor:
    """Inputs that the loop alone changes."""
    x = 9 * x - 40
    logits = {
        "model": lambda: model(x),
        "forward": lambda: model.forward(x),
        "parts": lambda: model.head(model.blocks[0](model.features(x))),
    }[call]()
    return cross_entropy(logits, torch.arange(len(x)) % 2)


@pytest.mark.parametrize("call", ["model", "forward", "parts"])
def test_where_the_loop_does_not_call_the_model_itself_that_is_told(
    call: str, tmp_path: Path
) -> None:
    trained(tmp_path, lambda *given: normalized(*given, call=call))
    told = " ".join((tmp_path / "run" / "summary.json").read_text().split())
    assert ("the loop was not seen to call the model itself" in told) is (call != "model")
    assert ("the loop feeds the model" in told) is (call == "model")
    assert ("was trained on inputs as they are measured is not known" in told) is (call != "model")


@pytest.mark.parametrize("cleared", [False, True])
def test_a_head_on_features_without_gradients_is_told_of_no_evaluation(
    cleared: bool, tmp_path: Path
) -> None:
    """Of a frozen body; the test set is evaluated with gradients by mistake."""

    def head(model: Net, x: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            features = model.blocks[0](model.features(x))
        model.eval()
        model(z)
        return cross_entropy(model.head(features), torch.arange(len(x)) % 2)

    assert not found(trained(tmp_path, head, steps=80, cleared=cleared))[1]


def test_an_evaluation_of_the_model_is_no_call_that_trains_it(tmp_path: Path) -> None:
    def by_parts(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model.eval()
        with torch.no_grad():
            model(z)
        model.train()
        return normalized(model, x, z, call="parts")

    assert "not seen to call the model itself" in " ".join(
        trained(tmp_path, by_parts).verdict.split()
    )


def test_neither_is_one_with_gradients(tmp_path: Path) -> None:
    def by_parts(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model.eval()
        model(z)
        model.train()
        return normalized(model, x, z, call="parts")

    assert "not seen to call the model itself" in " ".join(
        trained(tmp_path, by_parts).verdict.split()
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scale", [1, 9])
def test_a_loop_without_gradients_calls_the_model(
    scale: int, training: bool, tmp_path: Path
) -> None:
    """As of evolution, which evaluates the test set without gradients, too."""

    def evolved(model: Net, x: Tensor, z: Tensor) -> Tensor:
        model.train(training)
        with torch.no_grad():
            model(scale * z)
            return cross_entropy(model(scale * x), torch.arange(len(x)) % 2)

    watcher = trained(tmp_path, evolved)
    told = " ".join((tmp_path / "run" / "summary.json").read_text().split())
    assert "not seen to call the model itself" not in told
    assert ("the loop feeds the model" in told) is (scale != 1)
    assert not found(watcher)[1]


def evaluated(model: nn.Module, z: Tensor) -> None:
    """As after each epoch."""
    model.eval()
    with torch.no_grad():
        model(z)
    model.train()


def test_an_evaluation_now_and_then_is_no_training(tmp_path: Path) -> None:
    """Of a model whose weights come from a copy."""
    steps, copied = 0, Net()
    optimizer = torch.optim.Adam(copied.parameters(), 0.01)

    def by_a_copy(model: Net, x: Tensor, z: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        optimizer.zero_grad()
        loss = normalized(copied, x, z, call="model")
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        model.load_state_dict(copied.state_dict())
        if steps % 10 == 0:
            evaluated(model, 9 * z - 40)
        return loss.detach()

    told = " ".join(trained(tmp_path, by_a_copy).verdict.split())
    assert "not seen to call the model itself" in told


def test_nor_is_that_of_a_head_on_a_frozen_body(tmp_path: Path) -> None:
    def head(model: Net, x: Tensor, z: Tensor) -> Tensor:
        evaluated(model, 9 * z - 40)
        model.eval()
        with torch.no_grad():
            features = model.blocks[0](model.features(9 * x - 40))
        return cross_entropy(model.head(features), torch.arange(len(x)) % 2)

    told = " ".join(trained(tmp_path, head, cleared=True).verdict.split())
    assert "not seen to call the model itself" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x[:, :20], "inputs of the shape (20,), and it is measured on inputs of (36,)"),
        (lambda x: x + 3, "its training examples as x + 3, and it is measured on x itself"),
        (lambda x: 255 - x, "its training examples as -1 x + 255"),
        (lambda x: x.reshape(-1, 3, 12).flip(1).flatten(1), ""),
        (lambda x: x, ""),
        (lambda x: torch.where(torch.rand(x.shape) < 0.1, 1, x), ""),  # unknown words
    ],
)
def test_changed_whole_numbers_are_told(
    change: Callable[[Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(300, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.words(x).mean(1))  # type: ignore[no-any-return]

    sets = integers(0), integers(1)
    trained(tmp_path, lambda model, x, z: labeled(model, change(x)), sets=sets, model=Words())
    told = " ".join((tmp_path / "run" / "summary.json").read_text().split())
    assert said in told
    assert ("the loop feeds the model" in told) is bool(said)


def test_a_model_that_is_called_later_is_called(tmp_path: Path) -> None:
    """After a phase that trains its features alone, at the end of which is a measurement."""
    model, y = Net(), torch.arange(COUNT) % 2
    optimizer = torch.optim.Adam(model.parameters())
    given = {"train": (X, y), "test": (Z, y)}
    out = tmp_path / "run"
    with watch(model, **given, out=out, quiet=True, pictures=False, every=10) as watcher:
        for step in range(60):
            optimizer.zero_grad()
            few = torch.arange(step, step + 20)
            loss = model.features(X[few]).square().mean() if step < 20 else labeled(model, X[few])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    assert "not seen to call the model itself" not in " ".join(watcher.verdict.split())
    assert "was not seen to call the model itself" in (out / "summary.json").read_text()
