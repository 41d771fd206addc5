"""All settings of a run, each declared once with its unit, its range and the meaning of `None`.

Standard library only, so that `--help` is instant. The docstring under a field is its flag's help.
Each part of the lab takes only its own piece: `DataConfig`, `ModelConfig` or `TrainConfig`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lab.core.text import unknown

FORMAT = 8
"""Version of `config.json`; raised when an old file can no longer be read as it stands."""

RENAMED = {
    "twins": "counterfactuals",
    "fresh": "online",
    "kinds": "subpopulations",
    "hold_out": "unseen_combinations",
}
"""Former names of settings -> what they are called now; only the new names are taken."""

STEPS = 1500
"""The most optimizer steps of a run for which no number is given."""

LOSS_BOUND = 0.001
"""Mean training loss, in nats, at which such a run ends: 0.999 is then the geometric mean of the
probabilities that it gives to the training labels."""

VALIDATION = 1000
"""Validation faces where early stopping needs some and no number is given."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What determines a run besides its settings; `lab.runs.provenance` compares it with the
    present state.

    Empty entries: not recorded.
    """

    world: str = ""
    """Version of the pictures, as `lab.worlds.world_version` gives it."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Source files that make the network, outside installed packages: path -> SHA-256."""
    classes: tuple[str, ...] = ()
    """What the labels stand for, in their order."""
    metric_sources: Mapping[str, str] = field(default_factory=dict)
    """Source files of the user's metrics: path -> SHA-256. They have no say in training: noted, and
    not compared."""
    changed_at: tuple[int, ...] = ()
    """Steps after which the run continued with other source files (`--changed-code`)."""
    parameters: int | None = None
    """Parameters of the network that the lab trained, frozen ones included; None: not noted."""
    data_files: Mapping[str, str] = field(default_factory=dict)
    """Files that the code of the user's network and objective read before training: absolute path
    -> digest of the content (`lab.models.digest_of_file`)."""
    metric_data_files: Mapping[str, str] = field(default_factory=dict)
    """The same of the user's metrics."""
    num_pictures: int | None = None
    """Pictures in the folder or file of --data, all of them; None: drawn, or not noted."""
    watched: Mapping[str, Any] = field(default_factory=dict)
    """Of a run that was watched in a training loop of the user's own (`lab.watch`): what else is
    known of it. Empty: the lab trained it."""

    @property
    def code(self) -> str:
        """A short digest of the source files, wherever they lie; "" if there are none."""
        text = json.dumps(sorted(self.sources.values()))
        return hashlib.sha256(text.encode()).hexdigest()[:8] if self.sources else ""


Ends = tuple[float, float, bool, bool]
"""A range: its lowest and its highest number, and whether those are excluded."""


def knob(default: Any, low: float, high: float, *, below: bool = False, above: bool = False) -> Any:
    """A number's field: its default and its range (`below`/`above`: that end is excluded)."""
    return field(default=default, metadata={"range": (low, high, above, below)})


CLUSTERS = {"takes": "the name of a column or a regular expression"}
"""Metadata of a flag that says which pictures belong together."""

PLACE = {"takes": "the path of a folder of pictures or of an .npz file"}
"""Metadata of a flag that says where pictures are."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The pictures and their labels."""

    task: str = "person"
    """The task, which defines the label of a picture (an unknown name lists all tasks)."""
    data: str | None = field(default=None, metadata=PLACE)
    """Your own pictures instead of drawn ones: a folder with one subfolder for each class, below
    train/ and test/ if there are such folders, or an .npz file with the arrays x and y, and x_test
    and y_test if there are such. Else they are split at random by the seed, one picture in five for
    testing. None: pictures are drawn."""
    num_train: int = knob(100, 2, 1_000_000)
    """Number of training pictures, 2 to 1,000,000; the fewer, the more is memorized. With --data at
    most as many as there are."""
    num_test: int = knob(2000, 2, 1_000_000)
    """Number of unseen pictures to test on, 2 to 1,000,000; the more, the narrower the intervals.
    With --data at most as many as there are."""
    image_size: int = knob(32, 16, 512)
    """Width and height of a picture in pixels, 16 to 512."""
    resize: Literal["crop", "letterbox", "stretch"] = "crop"
    """With --data: how pictures become square before they are scaled to --image-size: 'crop' takes
    the middle square, 'letterbox' shows the whole picture between bars of middle gray, 'stretch'
    distorts it."""
    variation: float = knob(1.0, 0, 1)
    """How much faces differ in the nuisances (attributes that never affect the label): 0 (all have
    the typical values) to 1 (full priors)."""
    cues: tuple[str, ...] = ()
    """Nuisances tied to the label, in training and on the test set. With eye_color:0.95 each class
    has an eye color of its own, and a picture shows that of its class with probability 0.95, else
    that of one of the other classes, all equally likely; 1 / number of classes (0.5 for two) makes
    the cue independent of the label. Without named values those that look most different are taken;
    eye_color=blue/brown:0.95 and hair_length=long/short:0.8 name one for each class, the last class
    first (person/not a person)."""
    cue_visibility: float = knob(1.0, 0, 1, above=True)
    """How different the values of a cue look, above 0 to 1 (as drawn): below 1 its colors are
    faded, or its numbers moved towards the median."""
    subpopulations: tuple[str, ...] = ()
    """Subpopulations to use, such as missing scrambled; a class of which none is named keeps its
    mix. object:0.02 gives one a share of its class, and leaves the rest to the others. None named:
    all, in the task's shares."""
    missing: tuple[str, ...] = ()
    """Parts that a face may lack: eyes nose mouth ears. None named: any of them."""
    unseen_combinations: tuple[str, ...] = ()
    """Combinations of values that are excluded from training and shown in a separate test set:
    eye_color=blue,hair_length=long."""
    groups: tuple[str, ...] = ()
    """With --data: columns of the folder's metadata.csv (file_name, then columns), or arrays of the
    .npz file, whose values, with the class, form groups: accuracy is measured for each, and
    --objective can weigh them."""
    clusters: str | None = field(default=None, metadata=CLUSTERS)
    """With --data: which pictures belong together, as those of one patient: a column of the
    folder's metadata.csv, or an array of the .npz file, that has the same value for them; or a
    regular expression whose part in brackets is the same in their paths below the folders of the
    classes, as 'patient([0-9]+)', or '^([^/]+)/' for the first folder. All of a cluster are for
    training, for validation or for the test, and intervals take clusters for independent, not
    pictures. None: pictures are."""
    label_noise: float = knob(0.0, 0, 1)
    """Share of training labels that are corrupted, 0 to 1. Test labels stay clean."""
    label_noise_kind: Literal["random", "flip"] = "random"
    """'random' draws a corrupted label uniformly from all classes (share 1: labels independent of
    the pictures, as in Zhang 2017); 'flip' always makes it a wrong one."""
    copies: float = knob(0.0, 0, 0.9)
    """Share of training faces that are copies of an earlier training face, with its label, 0 to
    0.9."""
    obscured: float = knob(0.0, 0, 1)
    """Share of faces that are hard to see, in training and on the test set, 0 to 1: blurred, noisy,
    and partly hidden by a gray square."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network."""

    model: str = "cnn"
    """A registered architecture, torchvision:NAME or timm:NAME for one of theirs (untrained), or
    path/to/file.py:name for one of yours."""
    width: int = knob(16, 1, 1024)
    """Channels of the first layer, 1 to 1024; the other layers scale with it. Networks of
    torchvision and timm have no width."""
    dropout: float = knob(0.0, 0, 1, below=True)
    """Share of the last hidden features dropped in training, 0 to below 1."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the network is trained."""

    steps: int | None = knob(None, 0, 10_000_000)
    """Optimizer steps, 0 to 10,000,000; they also set the length of the learning-rate schedule.
    None: at most 1,500, fewer where --stop-at-loss ends the run."""
    stop_at_loss: float | None = knob(None, 0, 100, above=True)
    """End training when the mean loss on the training pictures, in nats, is at most this at two
    evaluations in a row, above 0 to 100: nothing is left to learn from them. None: 0.001 if --steps
    is not given and nothing but that loss is minimized (no --online, --augment, --dropout,
    --weight-decay, --early-stopping or other --objective); else never."""
    batch_size: int = knob(64, 1, 65_536)
    """Pictures per step, 1 to 65,536. At most the number of training pictures, except with
    --online."""
    learning_rate: float = knob(2e-3, 0, 10, above=True)
    """Peak learning rate of AdamW, above 0 to 10, after a linear warm-up and before cosine decay to
    0."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """'muon' updates the weight matrices between the first and the last layer, in the order of the
    network's parameters, with Muon (Jordan et al. 2024), at 15 times the learning rate, and all
    other weights with AdamW: fewer steps to the same accuracy, each a little slower."""
    weight_decay: float = knob(0.0, 0, 10)
    """AdamW's decoupled weight decay, 0 to 10."""
    augment: bool = False
    """Shift, rotate, mirror and recolor each training picture at random. This makes labels of tasks
    about left and right, or about colors, wrong."""
    objective: str = "erm"
    """What training minimizes: erm (empirical risk: equal weight for each example), reweighting
    (equal weight for each group), group_dro (the worst group's loss), or path/to/file.py:name for
    one of yours. A group is a class with one combination of cue values; without cues each class is
    a group."""
    online: bool = False
    """Use new pictures at every step, so that none is seen twice. Training accuracy is measured on
    the first --num-train of them."""
    counterfactual_pairs: float = knob(0.0, 0, 1)
    """With --online: share, 0 to 1, of the pairs of training faces, one of each class, that are
    drawn as the same face with and without a change of one relevant attribute, such as a person and
    the same face without its nose. The network is told pictures and labels only; test faces are as
    ever."""
    early_stopping: int | None = knob(None, 1, 1000)
    """Stop after this many evaluations without a lower loss on the validation pictures, and keep
    the weights of the lowest, 1 to 1000; None: never. Test pictures are not used for it."""
    num_validation: int | None = knob(None, 2, 1_000_000)
    """Validation pictures, 2 to 1,000,000, with clean labels, in neither the training nor the test
    set, measured at every evaluation: faces of the test set's population, with --data pictures
    that could be training ones. None: 1,000 with --early-stopping, else none."""
    eval_every: int | None = knob(None, 1, 10_000_000)
    """Optimizer steps between evaluations, 1 to 10,000,000; None: frequent at first, rarer
    later."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the network; bfloat16 uses autocast and is faster for wide networks only."""
    compile: bool = False
    """Train through torch.compile: starts half a minute later, needs a C++ compiler, and is faster
    for long runs of wide networks. Results differ in the last bits from those without; with
    dropout they differ more, as its random numbers are others."""

    @property
    def max_steps(self) -> int:
        """The optimizer steps after which training ends at the latest."""
        return STEPS if self.steps is None else self.steps


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: its data, network and training, and the settings below."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    seed: int = knob(0, 0, 2**63 - 1)
    """Seed of all random numbers of the run, a whole number from 0."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to draw and train; auto takes a GPU if there is one."""
    deterministic: bool = False
    """Use only GPU kernels that give the same bits each time, which may be slower. On a CPU all
    kernels do."""
    threads: int = knob(1, 0, 256)
    """CPU threads of the run, 1 to 256; 0: one for each processor that it may use. Each takes a
    part of every batch through the network, if this has layers of torch and the lab alone, without
    dropout and batch normalization; else they divide each operation, which is slow on a busy
    machine. The last bits of all results depend on this number."""
    world_size: int = knob(1, 1, 65_536)
    """Processes among which every batch is divided. torchrun sets it: torchrun --nproc-per-node 2
    scripts/train.py …; the last bits of all results depend on this number."""
    counterfactuals: int = knob(48, 0, 100_000)
    """Faces that are redrawn with each attribute changed, to measure reliance, 0 to 100,000 (no
    more than fit in 256 MB: 2,184 of 32 px, 8 of 512 px); 0: not measured. The more, the narrower
    the intervals."""
    metric: tuple[str, ...] = ()
    """Metrics of your own, path/to/file.py:name each: functions of the predictions on a set (the
    test set by default) that return a number, measured at every evaluation. None named: the lab's
    alone."""
    scores: bool = False
    """Also score how hard each training picture is to learn (forgetting events, area under the
    margin, EL2N, …; docs/pool.md defines them), for up to twice the time of training, and write
    example_scores.csv into the run's folder. Not with --online, which has no fixed training set."""
    pictures: bool = True
    """Log pictures, curves, the projector and the graph in addition to the metrics."""
    checkpoint_every: float = knob(10.0, 0, 86_400)
    """Seconds between checkpoints, 0 (after every step) to 86,400: the most that a killed run
    loses."""
    snapshots: float = knob(8.0, 0, 100_000)
    """Megabytes of snapshots of the weights that the run keeps, 0 (none) to 100,000: most at first,
    at up to 45 steps. With them the tab Faces shows the network at any time of its training."""
    name: str | None = None
    """Folder of the run under --out: letters, digits and . _ - only. None: derived from the
    settings, with a number added if that name is taken."""
    out: Path = Path("runs")
    """Folder that holds the runs (TensorBoard's logdir)."""

    @property
    def validation_faces(self) -> int:
        """How many validation faces the run has, 0 or more."""
        if self.train.num_validation is not None:
            return self.train.num_validation
        return VALIDATION if self.train.early_stopping else 0

    @property
    def loss_bound(self) -> float | None:
        """The mean training loss at which the run ends, in nats; None: at none."""
        train = self.train
        if train.stop_at_loss is not None:
            return train.stop_at_loss
        more = train.online or train.augment or train.weight_decay or train.early_stopping
        if train.steps is not None or more or self.model.dropout or train.objective != "erm":
            return None
        return LOSS_BOUND


def settled(config: RunConfig) -> RunConfig:
    """The config with the batch size that the run uses: at most all training faces."""
    train = config.train
    if train.online or train.batch_size <= config.data.num_train:
        return config
    train = dataclasses.replace(train, batch_size=config.data.num_train)
    return dataclasses.replace(config, train=train)


def to_json(config: RunConfig, provenance: Provenance | None = None) -> str:
    """The config, and what else decides the run, as JSON text that `parse_settings` reads back."""
    noted = dataclasses.asdict(provenance) if provenance is not None else {}
    for name in ("parameters", "num_pictures", "data_files", "metric_data_files", "watched"):
        if not noted.get(name):
            noted.pop(name, None)
    values = {"format": FORMAT, **noted, **dataclasses.asdict(config)}
    return json.dumps(values, indent=2, default=str)


def parse_settings(text: str) -> tuple[RunConfig, Provenance]:
    """The config and the provenance in a text written by `to_json`; `ValueError` in one line says
    what is wrong with it, or that it is of another format."""
    values = _parse(text)
    provenance = _provenance(values)
    parts = {"data": DataConfig, "model": ModelConfig, "train": TrainConfig}
    for part, kind in parts.items():
        values[part] = _build(kind, values.get(part, {}), where=f"{part}.")
    values["out"] = Path(str(values.get("out", "runs")))
    config: RunConfig = _build(RunConfig, values, where="")
    check(config)
    return config, provenance


def _provenance(values: dict[str, Any]) -> Provenance:
    """The provenance among the entries of a config.json, which are taken out."""
    world, sources = values.pop("world", ""), values.pop("sources", {})
    classes, changed_at = values.pop("classes", []), values.pop("changed_at", [])
    if not isinstance(world, str):
        raise ValueError(f"config.json: world must be a text, not {world!r}")
    tables = {"sources": sources}
    for name in ("metric_sources", "data_files", "metric_data_files"):
        tables[name] = values.pop(name, {})
    for name, table in tables.items():
        if not (isinstance(table, dict) and all(isinstance(each, str) for each in table.values())):
            raise ValueError(f"config.json: {name} must be an object of texts")
    watched = values.pop("watched", {})
    if not isinstance(watched, dict):
        raise ValueError("config.json: watched must be an object")
    numbers = {name: values.pop(name, None) for name in ("parameters", "num_pictures")}
    for name, number in numbers.items():
        if number is not None and type(number) is not int:
            raise ValueError(f"config.json: {name} must be a whole number")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("config.json: classes must be a list of texts")
    if not isinstance(changed_at, list) or not all(type(step) is int for step in changed_at):
        raise ValueError("config.json: changed_at must be a list of whole numbers")
    return Provenance(
        world=world,
        classes=tuple(classes),
        changed_at=tuple(changed_at),
        watched=watched,
        **numbers,
        **tables,
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a run's config.json: {error}") from None
    if not isinstance(values, dict) or "format" not in values:
        raise ValueError(f"not a run's config.json of format {FORMAT}")
    found = values.pop("format")
    if found != FORMAT:
        raise ValueError(
            f"a config.json of format {str(found)[:20]}, not {FORMAT}: another version of the lab"
            " wrote it; train the run anew"
        )
    return values


def check(config: RunConfig) -> None:
    """Raise `ValueError` with the flag, the value and what is allowed, if one is out of range.

    Names that live in registries (task, model) are checked where the registries are.
    """
    for part in (config, config.data, config.model, config.train):
        hints = get_type_hints(type(part))
        for entry in dataclasses.fields(part):
            value = getattr(part, entry.name)
            if not dataclasses.is_dataclass(value):
                _check_value(entry, hints[entry.name], value)


def given(config: RunConfig) -> dict[str, Any]:
    """The settings that differ from their defaults, by name."""
    default = RunConfig()
    pairs = [(config, default)]
    pairs += [
        (getattr(config, part), getattr(default, part)) for part in ("data", "model", "train")
    ]
    return {
        entry.name: getattr(mine, entry.name)
        for mine, usual in pairs
        for entry in dataclasses.fields(mine)
        if not dataclasses.is_dataclass(getattr(mine, entry.name))
        and getattr(mine, entry.name) != getattr(usual, entry.name)
    }


ONE_THREAD = "the grid (one for each run)"
"""What sets `threads` in a grid of runs."""


def refuse(names: Collection[str], **instead: str) -> None:
    """Raise `ValueError` if a setting is among the `names` of those given that the script sets
    itself; `instead` maps the setting's name to the flag to use."""
    for name in instead:
        if name in names:
            raise ValueError(f"{flag(name)} is set by {instead[name]}: leave it out")


def flag(name: str) -> str:
    """The command-line spelling of a field's name."""
    return "--" + name.replace("_", "-")


def _check_value(entry: dataclasses.Field[Any], hint: Any, value: Any) -> None:
    if get_origin(hint) is tuple:
        if not (isinstance(value, tuple) and all(isinstance(word, str) for word in value)):
            raise ValueError(f"{flag(entry.name)} takes a list of texts, not {value!r}")
        return
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return
    if all(isinstance(kind, str) for kind in kinds):
        if value not in kinds:
            raise ValueError(unknown(f"value for {flag(entry.name)}", value, kinds))
        return
    kind = kinds[0]
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        needed = _KINDS[kind]
        if kind is Path and isinstance(value, str):  # from Python: the terminal makes one of it
            needed += f" (from Python a pathlib.Path, {entry.name}=Path({value!r}))"
        raise ValueError(f"{flag(entry.name)} takes {needed}, not {value!r}")
    ends = outside(entry.metadata.get("range"), value)
    if ends:
        raise ValueError(f"{flag(entry.name)} must be {ends}, not {value!r}")


def outside(ends: Ends | None, value: float) -> str:
    """The range that a number should be in, in words; empty if it is in it, or there is none."""
    if ends is None:
        return ""
    low, high, above, below = ends
    inside = (low < value if above else low <= value) and (value < high if below else value <= high)
    if inside:
        return ""
    return f"{'above ' if above else ''}{low:,} to {'below ' if below else ''}{high:,}"


_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
}


def _build(kind: type, values: object, *, where: str) -> Any:
    names = [entry.name for entry in dataclasses.fields(kind)]
    if not isinstance(values, dict):
        raise ValueError(f"config.json: {where or 'it'} must be an object with {', '.join(names)}")
    for key in values:
        if key not in names:
            raise ValueError("config.json: " + unknown(f"entry under {where or 'it'}", key, names))
    hints = get_type_hints(kind)
    for key, value in values.items():
        if get_origin(hints[key]) is tuple and isinstance(value, list):
            values[key] = tuple(value)  # JSON knows lists only
    return kind(**values)
