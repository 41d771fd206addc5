"""The networks of torchvision and timm by their own names, always untrained: nothing is downloaded.

They were made for larger pictures. Most take 32 px; one that does not says so in the dry run.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from lab.core.text import unknown
from lab.models.registry import Builder, ModelSpec, register_source


@register_source("torchvision")
def torchvision(name: str) -> Builder:
    """The classification network that torchvision calls `name`; `ValueError` if there is none."""
    from torchvision import models  # not above: it takes a second

    names = models.list_models(module=models)
    if name not in names:
        said = unknown("torchvision model", name, names)
        raise ValueError(f"--model torchvision:{name}: {said}")
    return partial(_from_torchvision, name)


@register_source("timm")
def timm(name: str) -> Builder:
    """The network that timm calls `name`; `ValueError` if there is none, or no timm."""
    try:
        from timm import list_models
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise ValueError(
            f"--model timm:{name} needs the package timm: pip install -e '.[zoo]'"
        ) from None
    names = list_models()  # the full names of architectures, so no address of a download
    if name not in names:
        raise ValueError(f"--model timm:{name}: {unknown('timm model', name, names)}")
    return partial(_from_timm, name)


def _from_torchvision(name: str, spec: ModelSpec) -> nn.Module:
    from torchvision.models import get_model

    _refuse_width(spec)
    if spec.in_channels != 3:
        raise ValueError(f"it takes pictures of 3 channels, not {spec.in_channels}")
    options: dict[str, Any] = {"weights": None, "num_classes": spec.num_outputs}
    if name.startswith("vit_"):
        options["image_size"] = spec.image_size
    if name.startswith("maxvit_"):
        options["input_size"] = (spec.image_size, spec.image_size)
    if name in ("googlenet", "inception_v3"):  # in training they return more than logits
        options |= {"aux_logits": False, "init_weights": True}
    try:
        model: nn.Module = get_model(name, dropout=spec.dropout, **options)
    except TypeError:  # of an argument that it does not have
        model = get_model(name, **options)
    return _with_dropout(model, spec)


def _from_timm(name: str, spec: ModelSpec) -> nn.Module:
    from timm import create_model
    from timm.models import get_pretrained_cfg

    _refuse_width(spec)
    known = get_pretrained_cfg(name)
    fixed = known is not None and known.fixed_input_size
    options: dict[str, Any] = {"img_size": spec.image_size} if fixed else {}
    model: nn.Module = create_model(
        name,
        pretrained=False,
        num_classes=spec.num_outputs,
        in_chans=spec.in_channels,
        drop_rate=spec.dropout,
        **options,
    )
    return _with_dropout(model, spec)


def _refuse_width(spec: ModelSpec) -> None:
    if spec.width != ModelSpec.width:
        raise ValueError(
            f"it comes in the sizes that its name says, so leave out --width {spec.width}"
        )


def _with_dropout(model: nn.Module, spec: ModelSpec) -> nn.Module:
    """`model`, if it has the dropout that was asked for."""
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    rates = {getattr(model, "drop_rate", 0.0), *(layer.p for layer in layers)}
    if spec.dropout and spec.dropout not in rates:
        raise ValueError(f"it has no dropout, so leave out --dropout {spec.dropout:g}")
    return model
