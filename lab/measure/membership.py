"""Membership inference: how well losses tell training examples from unseen ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


def membership_auc(member_losses: Tensor, fresh_losses: Tensor) -> Estimate:
    """The AUC of the attack "its loss is below a threshold, so it is a member" over all thresholds;
    0.5 is a guess.

    The attack of Yeom et al., "Privacy risk in machine learning", 2018, section 3.2, without the
    choice of a threshold: P(loss of a member (M,) < loss of a non-member (N,)), ties counting half.
    Any sizes M and N. The losses of members are with respect to the labels used in training.
    """
    return intervals.area(member_losses, fresh_losses)


def caught_at(member_losses: Tensor, fresh_losses: Tensor, *, false_alarms: float) -> Estimate:
    """The true positive rate of the attack on members (M,) at a false positive rate of at most
    `false_alarms` on non-members (N,).

    Carlini et al., "Membership inference attacks from first principles", 2022, argue for small
    rates such as 0.01. The interval is Wilson's, with the threshold taken as fixed.
    """
    allowed = math.floor(false_alarms * len(fresh_losses))
    ranked = fresh_losses.sort().values
    threshold = ranked[allowed] if allowed < len(ranked) else torch.tensor(math.inf)
    return wilson(int((member_losses < threshold).sum()), len(member_losses))
