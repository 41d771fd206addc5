"""The attribute table: every variable that controls the drawing of a face, declared once.

A new nuisance is one row here and its use in the drawing.
"""

from lab.worlds.schema import Attribute, categorical, continuous, count, find, schema_of

OBJECTS = ("clock", "house", "mug", "flower", "car")
SHUFFLES = ("flipped", "ears_inside", "rotated", "column", "traded")

# Structure priors: every kind of picture (all parts, some missing, scrambled, object) has at least
# 5 % under independent draws, so that conditioning on a kind stays cheap.
_TABLE = (
    categorical("subject", "structure", ("head", *OBJECTS), "what the picture shows",
                [0.7, 0.06, 0.06, 0.06, 0.06, 0.06]),
    categorical("arrangement", "structure", ("natural", *SHUFFLES), "where the parts of a head sit",
                [0.6, 0.08, 0.08, 0.08, 0.08, 0.08]),
    count("eyes", "structure", 2, [0.25, 0.13, 0.62], "eyes in the face"),
    count("nose", "structure", 1, [0.4, 0.6], "noses in the face"),
    count("mouth", "structure", 1, [0.4, 0.6], "mouths in the face"),
    count("ears", "structure", 2, [0.3, 0.08, 0.62], "ears on the head"),
    count("stray_eyes", "stray", 0, [0.8, 0.2, 0, 0], "eyes beside the head"),
    count("stray_noses", "stray", 0, [0.8, 0.2, 0], "noses beside the head"),
    count("stray_mouths", "stray", 0, [0.8, 0.2, 0], "mouths beside the head"),
    count("stray_ears", "stray", 0, [0.8, 0.2, 0, 0], "ears beside the head"),
    categorical("eye_color", "face", ("brown", "blue", "green", "gray", "amber"),
                "color of the irises"),
    continuous("eye_size", "face", 0.8, 1.0, 1.25, "times", "size of the eyes",
               halves=("small", "large"), peak=True),
    continuous("eye_spacing", "face", 0.88, 1.0, 1.14, "times", "distance of eyes, brows, lenses",
               halves=("close", "wide"), peak=True),
    continuous("gaze", "face", -1, 0, 1, "", "where the eyes look: -1 left, 1 right",
               halves=("left", "right"), peak=True),
    continuous("eyebrows", "face", 0, 0.5, 1, "", "thickness of the eyebrows",
               halves=("thin", "thick")),
    continuous("nose_size", "face", 0.75, 1.0, 1.3, "times", "size of the nose",
               halves=("small", "large"), peak=True),
    continuous("mouth_open", "face", 0, 0.25, 1, "", "how far the mouth is open",
               halves=("closed", "open")),
    continuous("smile", "face", -0.7, 0.4, 1, "", "corners of the mouth: -0.7 down, 1 up",
               halves=("down", "up"), peak=True),
    categorical("lip_color", "face", ("rose", "red", "brown", "plum"), "color of the lips"),
    continuous("ear_size", "face", 0.8, 1.0, 1.3, "times", "size of the ears",
               halves=("small", "large"), peak=True),
    categorical("skin_color", "face", ("light", "fair", "tan", "olive", "brown", "dark"),
                "color of the skin"),
    continuous("blush", "face", 0, 0.3, 1, "", "redness of the cheeks", halves=("pale", "rosy")),
    continuous("head_width", "face", 0.86, 1.0, 1.14, "times", "width of the head",
               halves=("narrow", "wide"), peak=True),
    continuous("head_height", "face", 0.9, 1.0, 1.1, "times", "height of the head",
               halves=("short", "tall"), peak=True),
    continuous("hair_length", "face", 0, 0.4, 1, "",
               "length of the hair: 0 cropped, 1 below the chin",
               halves=("short", "long")),
    categorical("hair_color", "face", ("brown", "black", "blond", "red", "gray", "chestnut"),
                "color of hair, eyebrows and beard"),
    categorical("hair_style", "face", ("straight", "parted", "curly", "fringe"),
                "shape of the hair"),
    categorical("beard", "face", ("none", "stubble", "mustache", "full"), "facial hair",
                [0.55, 0.15, 0.15, 0.15]),
    categorical("glasses", "face", ("none", "round", "square"), "glasses", [0.6, 0.2, 0.2]),
    categorical("clothes_color", "scene", ("navy", "red", "green", "white", "mustard", "black"),
                "color of the clothes"),
    categorical("background_color", "scene",
                ("blue", "sand", "green", "pink", "gray", "lilac", "rust", "brown"),
                "color of the background"),
    categorical("background_pattern", "scene", ("plain", "stripes", "dots", "checks", "waves"),
                "pattern of the background"),
    continuous("light_direction", "scene", -120, 30, 120, "degrees",
               "where light comes from: 0 above, 90 right", halves=("left", "right")),
    continuous("light_strength", "scene", 0, 0.5, 1, "", "contrast of light and shade",
               halves=("soft", "hard")),
    continuous("position_x", "camera", -0.21, 0, 0.21, "picture halves", "shift to the right",
               halves=("left", "right")),
    continuous("position_y", "camera", -0.16, 0, 0.16, "picture halves", "shift downwards",
               halves=("up", "down")),
    continuous("scale", "camera", 0.84, 1.0, 1.18, "times", "size in the picture",
               halves=("small", "large")),
    continuous("rotation", "camera", -15, 0, 15, "degrees", "tilt, clockwise",
               halves=("left", "right"), peak=True),
    continuous("blur", "camera", 0, 0, 0.02, "picture halves", "radius of the blur",
               halves=("sharp", "blurred")),
    continuous("pixel_noise", "camera", 0, 0.01, 0.04, "of full range",
               "deviation of the pixel noise",
               halves=("clean", "noisy")),
)  # fmt: skip

ATTRIBUTES: dict[str, Attribute] = schema_of(_TABLE)
"""The table, by name, in the order in which it is printed."""

PARTS = ("eyes", "nose", "mouth", "ears")
"""What makes a face, in the order of the tables."""

STRAYS = {
    "eyes": "stray_eyes",
    "nose": "stray_noses",
    "mouth": "stray_mouths",
    "ears": "stray_ears",
}
"""Part -> the attribute that counts its likes beside the head."""


def attribute(name: str) -> Attribute:
    """The row called `name`; `ValueError` with the nearest match if there is none."""
    return find(ATTRIBUTES, name)
