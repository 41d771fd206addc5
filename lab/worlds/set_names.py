"""Names that tell sets, such as train and test, of folders and in columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

OF_SETS = re.compile(
    r"(train|training|test|testing|val|valid|validation|dev|eval)"
    r"([-_ ]?(set|data|images|pictures))?([-_ ]?\d+)?",
    re.IGNORECASE,
)
"""Names of folders that hold a set, such as Train, test_set, test1: two of them are no classes."""

FOR_TRAINING = (
    "trains?|training|entrenamiento|treino|treinamento|entra[iî]nement|apprentissage"
    "|addestramento|trainingsdaten|lernen|обучение|训练集?|訓練|学習"
)
FOR_TESTS = (
    "tests?|testing|val|valid|validation|dev|eval|holdout|prueba|pruebas|validaci[oó]n|teste"
    "|valida[cç][aã]o|essai|prova|testdaten|тест|测试集?|验证集?|テスト|検証"
)
"""Words in the names of folders with the set to train on, and with one that is not trained on."""

A_SET = re.compile(
    rf"(?<![^\W\d_])({FOR_TRAINING}|{FOR_TESTS}|fold|split|part|subset|set|cv)(?![^\W\d_])",
    re.IGNORECASE,
)
"""Words in the names of folders that hold a set, such as images_train, fold_0 or prueba: where
such folders hold the same subfolders, these are the classes."""

OF_ANY_SET = re.compile(r"set|data|images|pictures")
"""Words that say nothing more in the name of a folder that names its set."""

COLUMNS = {"split", "set", "subset", "partition", "fold"}
"""Names of columns that say which set a picture is in."""


def is_of_sets(column: str, values: Sequence[str]) -> bool:
    """Whether a column tells sets: by its own name, or by those of all its `values`, two or more,
    such as train and test."""
    named = len(values) > 1 and all(OF_SETS.fullmatch(value) for value in values)
    return column.lower() in COLUMNS or named


def sets_of_one(names: Sequence[str]) -> list[str]:
    """Those of the names that are of sets of the same pictures, as seg_train and seg_test are: the
    words are the same but for one, which in some is of a set to train on and in others of one that
    is not. Empty if there are none of either kind."""
    kinds: dict[tuple[str, ...], dict[str, bool]] = {}
    for name in names:
        apart = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name)  # segTrain
        words = [word.lower() for word in re.findall(r"[^\W\d_]+", apart)]
        training, tests = (
            [word for word in words if re.fullmatch(kind, word)]
            for kind in (FOR_TRAINING, FOR_TESTS)
        )
        if len(training) + len(tests) == 1:
            named = (*training, *tests)
            rest = tuple(w for w in words if w not in named and not OF_ANY_SET.fullmatch(w))
            kinds.setdefault(rest, {})[name] = bool(training)
    return [name for some in kinds.values() if len(set(some.values())) > 1 for name in some]
