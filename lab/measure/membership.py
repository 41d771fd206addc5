"""Membership inference: can one tell from a model's losses which faces it has studied?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


def membership_auc(member_losses: Tensor, fresh_losses: Tensor) -> Estimate:
    """How well 'its loss is small, so it was studied' works over all thresholds: 0.5 is a guess.

    The attack of Yeom et al., "Privacy risk in machine learning", 2018, section 3.2, without the
    choice of a threshold: P(loss of a member (M,) < loss of a fresh face (N,)), ties counting half.
    Any sizes M and N. Labels are those that the model was trained and asked with.
    """
    return intervals.area(member_losses, fresh_losses)


def caught_at(member_losses: Tensor, fresh_losses: Tensor, *, false_alarms: float) -> Estimate:
    """The share of members (M,) that the attack names while it wrongly names at most `false_alarms`
    of the fresh faces (N,): true positives at a fixed false positive rate.

    Carlini et al., "Membership inference attacks from first principles", 2022, argue for small
    rates such as 0.01. The interval is Wilson's, for the threshold as it is.
    """
    allowed = math.floor(false_alarms * len(fresh_losses))
    ranked = fresh_losses.sort().values
    threshold = ranked[allowed] if allowed < len(ranked) else torch.tensor(math.inf)
    return wilson(int((member_losses < threshold).sum()), len(member_losses))
