"""Training-data attribution: what each training example does to the predictions on others, from
trained networks alone. One method in each file."""

from lab.measure.attribution.case import Case, Network, Unsuitable
from lab.measure.attribution.registry import (
    Attribution,
    attribution,
    list_attributions,
    register_attribution,
)

__all__ = [
    "Attribution", "Case", "Network", "Unsuitable", "attribution", "list_attributions",
    "register_attribution",
]  # fmt: skip
