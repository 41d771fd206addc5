"""Ask a trained network about pictures: python3 scripts/predict.py runs/NAME picture.png …"""

import sys
from dataclasses import dataclass
from pathlib import Path

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


def predict(flags: Flags) -> int:
    """Print what the network says about each picture, the most probable class first."""
    if not flags.pictures:
        raise ValueError("name at least one picture after the run's folder")
    from lab.data import get_task
    from lab.measure import predict
    from lab.pictures import read_picture
    from lab.run import load_run

    config, model = load_run(flags.run)
    classes = get_task(config.data.task).classes
    code = 0
    for path in flags.pictures:
        try:
            picture = read_picture(path, size=config.data.image_size).pixels
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
