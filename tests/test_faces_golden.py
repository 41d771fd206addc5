"""The drawing today is the drawing of yesterday, on any processor.

Only exactly rounded operations touch pixels, so their bytes can be pinned. After a change that is
meant to show, look at the pictures and write the new hashes:

    python tests/test_faces_golden.py
"""

import hashlib
import json
from pathlib import Path

from lab.worlds.faces import ATTRIBUTES, Faces, masks, render, sample_prior

GOLDEN = Path(__file__).parent / "golden" / "faces.json"


def _digest(*pieces: bytes) -> str:
    return hashlib.sha256(b"".join(pieces)).hexdigest()[:16]


def hashes() -> dict[str, str]:
    """What is pinned: name -> hash."""
    small = sample_prior(64, seed=0)
    large = Faces.cat([small[:2], sample_prior(6, seed=0, split="large")])
    pinned = {f"values of {name}": _digest(small[name].numpy().tobytes()) for name in ATTRIBUTES}
    pinned["identities"] = _digest(small.identity.numpy().tobytes())
    for count, faces, size in ((64, small, 32), (8, large, 96)):
        pictures = render(faces, size=size, backend="torch")
        pinned[f"{count} pictures of {size} pixels"] = _digest(pictures.numpy().tobytes())
    regions = masks(small, size=32).items()
    pinned["masks"] = _digest(*(name.encode() + mask.numpy().tobytes() for name, mask in regions))
    return pinned


def test_faces_are_what_they_were() -> None:
    pinned, now = json.loads(GOLDEN.read_text()), hashes()
    changed = {name for name in pinned.keys() | now.keys() if pinned.get(name) != now.get(name)}
    assert not changed, f"if that is meant: python tests/{Path(__file__).name}"


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(hashes(), indent=2) + "\n")
    print(f"wrote {GOLDEN}")
