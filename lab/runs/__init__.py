"""A run: doing one (`train`), opening one (`load`), measuring one (`evaluate`).

A number, `--num-train 100`, from the shell to a batch:

1. `lab.core.cli` makes the flags a `RunConfig`, which `lab.commands.train` passes to `train.start`.
2. `resolve.resolve` checks it, opens the world, and returns a `ResolvedRun`, whose config nothing
   changes or checks again.
3. `train._train` asks for the training set: `world.load("train", config.data.num_train)`.
4. The world's population makes them addresses 0 to 99, samples, labels and images.
5. `batches.training_batches` hands images and labels to `EpochBatches`; from here on the number is
   their length, and `fit` takes a batch of them at each step.

A cue, `--cues eye_color:0.95`, is text in `DataConfig` and `config.json` only. `resolve` opens the
world, which parses it into a `lab.worlds.Cue` once; from there on it travels as this value,
`world.cues`:

- to the pixels: `Population.sample` sets the attribute's column (`lab.worlds.cues.draw_cue`), and
  the domain renders the column;
- to the batch: `lab.worlds.groups.group_index` numbers the groups, class × value of the cues;
- to the metrics: `world.unbiased()` and `world.conflicting()` weaken it, and the evaluators measure
  on both;
- to the verdict: `verdict_setting` puts `world.cues` into a `Setting`, and `lab.verdict` reads
  strength, values and no link off them.

In a distributed run every process resolves the run and trains a replica (`folder.Replica`). Rank 0
also holds the run's folder (`folder.OpenedRun`) and measures, shows and writes (`record.Record`).
"""
