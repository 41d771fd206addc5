"""Ask a trained network about pictures: python3 scripts/predict.py runs/NAME picture.png …"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401
import tyro

from lab.cli import BAD_INPUT, main, one_line


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Ask a trained network about pictures."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """Picture files of any format and size; their middle square is shown to the network."""
    model_file: Path | None = None
    """Where the file of the run's network is now, if it was moved since the run was trained."""
    changed_code: bool = False
    """Open the run though its network's source files are not those that it was trained with."""


def predict(flags: Flags) -> int:
    """Print what the network says about each picture, the most probable class first."""
    if not flags.pictures:
        raise ValueError("name at least one picture after the run's folder")
    from lab.data import get_task
    from lab.measure import predict
    from lab.pictures import read_picture
    from lab.run import load_run

    config, model = load_run(
        flags.run, model_file=flags.model_file, changed_code=flags.changed_code, any_world=True
    )
    classes = get_task(config.data.task).classes
    code = 0
    for path in flags.pictures:
        try:
            picture = read_picture(path, size=config.data.image_size)
        except ValueError as error:
            print(one_line(f"error: {error}"), file=sys.stderr)
            code = BAD_INPUT
            continue
        chances = predict(model, picture[None]).softmax(dim=1)[0].tolist()
        ranked = sorted(zip(chances, classes, strict=True), reverse=True)
        said = ", ".join(f"{name} {100 * chance:.1f} %" for chance, name in ranked)
        print(one_line(f"{path}: {said}"))
    return code


if __name__ == "__main__":
    sys.exit(main(predict))
