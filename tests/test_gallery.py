"""The gallery's sheets hold the faces that they say they hold."""

import numpy as np

from lab.worlds import get_task
from lab.worlds.faces import ATTRIBUTES, gallery, render


def test_a_contact_sheet_holds_every_face_in_reading_order() -> None:
    faces = gallery.people(5, seed=3)
    sheet = np.asarray(gallery.contact_sheet(faces, columns=3, size=32))
    for k, image in enumerate(render(faces, size=32)):
        left, top = (k % 3) * (32 + gallery.GAP), (k // 3) * (32 + gallery.GAP)
        tile = sheet[top : top + 32, left : left + 32]
        assert np.array_equal(tile, image.permute(1, 2, 0).numpy())


def test_people_are_persons() -> None:
    assert (get_task("person").label(gallery.people(20, seed=1)) == 1).all()


def test_a_strip_changes_from_face_to_face() -> None:
    for name in ("eye_color", "hair_length", "subject"):
        row = ATTRIBUTES[name]
        count = gallery.STEPS if row.kind == "continuous" else len(row.values)
        strip = np.asarray(gallery.strips_sheet([name], size=32, seed=2))
        tiles = [strip[:, -(k + 1) * 32 - k * gallery.GAP :][:, :32] for k in range(count)]
        assert len({tile.tobytes() for tile in tiles}) == count


def test_there_is_a_row_for_each_kind() -> None:
    sheet = gallery.subpopulations_sheet("person", columns=2, size=32, seed=0)
    subpopulations = len(get_task("person").subpopulations)
    assert sheet.height == subpopulations * 32 + (subpopulations - 1) * gallery.GAP
