"""The sections of a report card that depend on its pictures; each says whether it applies.

A new one is its file, a field of `Card`, and its name in `SECTIONS` and `SAID`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.words import listed
from lab.experiments.report_card.sections.classes import CLASSES, GROUPS
from lab.experiments.report_card.sections.cues import CUES
from lab.experiments.report_card.sections.gap import GAP
from lab.experiments.report_card.sections.occlusions import OCCLUSIONS
from lab.experiments.report_card.sections.parts import PARTS
from lab.experiments.report_card.sections.perturbations import PERTURBATIONS
from lab.experiments.report_card.sections.reliance import RELIANCE
from lab.experiments.report_card.sections.section import Asked, Section
from lab.experiments.report_card.sections.subpopulations import SUBPOPULATIONS
from lab.experiments.report_card.subject import Subject

SECTIONS = (GAP, CUES, RELIANCE, PERTURBATIONS, OCCLUSIONS, SUBPOPULATIONS, CLASSES, GROUPS, PARTS)
"""All, in the order of figures and of lines in the table."""

SAID = (GAP, CUES, PERTURBATIONS, OCCLUSIONS, PARTS, SUBPOPULATIONS, CLASSES, GROUPS)
"""Those that say something, in the order of the sentences."""


def applying(subject: Subject, sections: Sequence[Section] = SECTIONS) -> list[Section]:
    """The sections that a card about these pictures has."""
    return [section for section in sections if section.applies(subject)]


def left_out(subject: Subject) -> str:
    """A sentence on what a card about these pictures cannot have; empty if nothing is missing."""
    missing = [s.left_out for s in SECTIONS if s.left_out and not s.applies(subject)]
    if not missing:
        return ""
    return (
        f"Left out: {listed(missing)}, which need pictures that the lab draws, since of those alone"
        " it knows every attribute and can change one without the others."
    )


__all__ = ["SAID", "SECTIONS", "Asked", "Section", "applying", "left_out"]
