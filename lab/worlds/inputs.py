"""A `torch.utils.data.Dataset` view of examples, for training code that is not this lab's."""

from torch import Tensor
from torch.utils.data import Dataset

from lab.models import to_input
from lab.worlds.examples import Examples


class ExamplesDataset(Dataset[tuple[Tensor, int]]):
    """Item i is (picture (3, S, S) float32 from -1 to 1, the label it was given)."""

    def __init__(self, examples: Examples) -> None:
        self.images = examples.images.cpu()
        self.labels = examples.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return to_input(self.images[index]), self.labels[index]
