"""The words of a lesson's page, in one sentence each; docs/concepts.md defines them."""

import re

WORDS = {
    "training accuracy": "The share of the faces it was trained on that a network gets right.",
    "test accuracy": "The share of faces it has never seen that a network gets right.",
    "generalization gap": "Training accuracy minus test accuracy.",
    "membership AUC": "How well the losses tell which faces it was trained on: 0.5 is a guess, 1"
    " is always right.",
    "reliance": "The share of faces whose prediction changes when one thing alone is changed, such"
    " as the color of the eyes.",
    "nuisance": "Something that should not matter for the prediction, such as the color of the"
    " eyes.",
    "cue": "A nuisance that goes along with the label in training, so that it can be a shortcut.",
    "strength": "How often the cue agrees with the label: 1 is always; 0.5 says nothing.",
    "unbiased": "Of faces in which the cue says nothing about the label.",
    "conflicting": "Of faces in which the cue contradicts the label.",
    "mislabeled": "With a wrong label in training.",
    "validation": "On further unseen faces, which choose the moment and are used for nothing else.",
    "variation of the nuisances": "How much faces differ in what should not matter: 1 is fully.",
    "scrambled": "Faces with all parts in wrong places, which are not persons.",
    "score": "Memorization score of a face: how much more often it is predicted right by networks"
    " that were trained on it than by networks that were not.",
    "member": "A face that the network was trained on.",
    "false positives": "Faces that an attack takes for members, and that are none.",
    "LiRA": "An attack that compares the network with others, trained with and without the face.",
    "loss threshold": "An attack that calls all faces with a low loss members.",
    "AUROC": "How well a number tells two kinds of faces apart: 0.5 is a guess, 1 is always right.",
    "hard to see": "Blurred, noisy, or partly hidden.",
    "cnn": "The lab's convolutional network.",
    "mlp": "A multilayer perceptron: it learns each place of the picture on its own.",
    "bagnet": "A network that sees small patches only, and not where they lie.",
    "width": "The size of a network: the number of channels of its first layer.",
}


def words_in(*texts: str) -> list[tuple[str, str]]:
    """The words that occur in the texts, each with its meaning."""
    told = " ".join(texts).lower()
    return [
        (word, meaning)
        for word, meaning in WORDS.items()
        if re.search(rf"\b{re.escape(word.lower())}s?\b", told)
    ]
