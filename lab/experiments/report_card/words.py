"""The text of a report card: sentences in plain words, and tables."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core import words
from lab.core.metrics import heading, limits
from lab.core.words import estimated, in_steps, listed, over_seeds, percent, those
from lab.experiments.metrics import FITTED
from lab.experiments.report_card.card import TARGETS, Card, Size
from lab.experiments.report_card.phrases import Row, interval
from lab.experiments.report_card.sections import SAID, applying, left_out
from lab.experiments.report_card.sections.parts import part_rows
from lab.experiments.report_card.subject import Subject
from lab.measure.class_shares import TOLD
from lab.models import has_width

FLAT = 0.005
"""An exponent whose interval lies within this of 0 is told as none: it has two decimals."""


def sentences(cards: Sequence[Card], subject: Subject, *, steps: int, compared: str) -> list[str]:
    """Sentences on the first card, compared with the others, and on what its pictures do not
    allow."""
    card, *others = cards
    noun = subject.noun
    speed = f" and trains at {card.training_speed:.2g} times the speed of {compared}"
    said = [
        f"{card.name} has {card.parameters:,} parameters{'' if card.model == compared else speed}.",
        *(_known_before(each, noun) for each in cards),
        _unfitted(cards, steps, subject),
        _needs(card, others, subject),
    ]
    said += [
        _falls(card, noun),
        _random(card, steps, noun),
        _membership(card, noun),
        _unreached(card, steps, noun),
        _unstudied(card, noun),
    ]
    said += [section.say(cards, subject) for section in applying(subject, SAID)]
    said += [
        f"Train accuracy, gap and membership AUC of {each.name} are those {each.judged}."
        for each in cards
        if each.judged
    ]
    said.append(card.doubt)
    named = f"--model {card.model}: "
    said += [f"Of {card.name}: {each.removeprefix(named)}." for each in card.warnings]
    said += [f"About the {noun}: {note}" for note in subject.notes]
    said.append(left_out(subject))
    return [sentence for sentence in said if sentence]


def titled(cards: Sequence[Card], subject: Subject) -> str:
    """What the card is about."""
    return f"{cards[0].name} on {subject.name}" if subject.name else cards[0].name


def summary_rows(cards: Sequence[Card], subject: Subject) -> tuple[Row, list[Row]]:
    """The header and the rows of the table with a column for each network."""
    noun = subject.noun
    rows: list[tuple[str, list[str]]] = [
        ("parameters", [f"{card.parameters:,}" for card in cards]),
        ("training speed", [f"{card.training_speed:.2g} ×" for card in cards]),
        ("prediction speed", [f"{card.answering_speed:.2g} ×" for card in cards]),
    ]
    for number, target in enumerate(TARGETS):
        row = [str(card.needed[number] or f"none: {_constant(subject)}") for card in cards]
        rows.append((f"{noun} for {percent(target, 0)} test accuracy", row))
    rows.append(("exponent of the test error", [_exponent(card, subject) for card in cards]))
    uneven = subject.frequent > subject.chance
    always = f"; always {subject.usual}: {subject.frequent:.2f}" if uneven else ""
    guess = f"(a guess: {cards[0].chance:.2f}{always})"
    for k, size in enumerate(cards[0].learning):
        row = [interval(card.learning[k].test) for card in cards]
        rows.append((f"test accuracy {guess}, {_so_many(size, noun)}", row))
    for k, size in enumerate(cards[0].learning):
        if any(card.learning[k].unfitted for card in cards):
            row = [_trained(card.learning[k]) for card in cards]
            rows.append((f"train accuracy, {_so_many(size, noun)}", row))
    for k, size in enumerate(cards[0].learning):
        row = [interval(card.learning[k].membership_auc) for card in cards]
        rows.append((f"membership AUC, {_so_many(size, noun)}", row))
    rows.append(("largest set of random labels fitted", [_largest(card) for card in cards]))
    for section in applying(subject):
        rows += [(name, list(cells)) for name, *cells in section.rows(cards, subject)]
    for tag in dict.fromkeys(tag for card in cards for tag in card.metrics):
        values = [card.metrics.get(tag) for card in cards]
        low, high = limits(tag)
        row = ["—" if v is None else over_seeds(v.within(low, high)) for v in values]
        rows.append((f"{heading(tag)}, {cards[0].best.faces:,} {noun}", row))
    return ("", *(card.name for card in cards)), [(name, *cells) for name, cells in rows]


def to_markdown(
    cards: Sequence[Card], said: Sequence[str], subject: Subject, *, command: str, conditions: str
) -> str:
    """The whole card as Markdown, without pictures."""
    blocks = [
        f"# Report card: {titled(cards, subject)}",
        "\n".join(f"- {sentence}" for sentence in said),
        _table(*summary_rows(cards, subject)),
    ]
    if cards[0].parts:
        blocks += ["Share of faces with these parts that is predicted to be a person:",
                   _table(*part_rows(cards))]  # fmt: skip
    blocks += [conditions, f"Made by `{command}`"]
    return "\n\n".join(blocks) + "\n"


def _table(header: Row, rows: Sequence[Row]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _needs(card: Card, others: Sequence[Card], subject: Subject) -> str:
    """The training faces for each target that says anything, and which ones do not."""
    found = [(k, need) for k, need in enumerate(card.needed) if need is not None]
    idle = [percent(t, 0) for t, need in zip(TARGETS, card.needed, strict=True) if need is None]
    said = []
    if idle:
        show = "shows" if len(idle) == 1 else "show"
        constant = _constant(subject)
        said.append(
            f"{constant[0].upper()}{constant[1:]} of the test {subject.noun} right:"
            f" {listed(idle)} test accuracy {show} nothing that it learned."
        )
    if found:
        (first, need), *more = found
        least = percent(need.target, 0)
        needs = f"For {least} test accuracy it needs {need} {subject.noun}"
        needs += "".join(f", for {percent(each.target, 0)} {each}" for _, each in more)
        beside = ", ".join(f"{other.name} {other.needed[first]}" for other in others)
        said.append(f"{needs} (for {least}: {beside})." if beside else f"{needs}.")
    return " ".join(said)


def _constant(subject: Subject) -> str:
    return f"always answering {subject.usual} gets {percent(subject.frequent)}"


def _random(card: Card, steps: int, noun: str) -> str:
    largest = card.largest_fitted
    tried = card.random_labels[-1].faces
    if largest is None:
        least = card.random_labels[0]
        return (
            f"In {in_steps(steps)} not every seed fits even {least.faces:,} random labels"
            f" (the mean is {percent(least.train.value, 0)} of them; {percent(FITTED, 0)} in every"
            " seed would count): it cannot memorize that much, or not that fast."
        )
    more = ", the most that were tried" if largest == tried else f", but not {_next(card):,}"
    return (
        f"In {in_steps(steps)} it fits {largest:,} random labels{more}: training accuracy on so few"
        f" {noun} does not show that it learned the task."
    )


def _next(card: Card) -> int:
    """The smallest number of random labels above the largest fitted one that was not fitted."""
    fitted = card.largest_fitted or 0
    return min(each.faces for each in card.random_labels if each.faces > fitted)


def _membership(card: Card, noun: str) -> str:
    first, last = card.learning[0], card.learning[-1]
    return (
        f"Its losses tell training {noun} from unseen ones with AUC"
        f" {interval(first.membership_auc)} after {first.faces:,} {noun} and"
        f" {interval(last.membership_auc)} after {last.faces:,}; 0.5 would be a guess."
    )


def _falls(card: Card, noun: str) -> str:
    """How its test error falls with the number of training faces; empty if no law is fitted."""
    if card.power_law is None:
        return ""
    exponent = card.power_law.exponent
    low, high = exponent.interval
    if max(abs(low), abs(high)) < FLAT:
        return f"Its test error is about the same for all numbers of training {noun}."
    if high >= 0:
        return (
            f"Whether its test error falls with the number of {noun} cannot be told: the exponent"
            f" is {estimated(exponent)}."
        )
    return (
        f"Its test error falls as (number of {noun})^{exponent.value:.2f}"
        f" ({words.interval(exponent)})."
    )


def _known_before(card: Card, noun: str) -> str:
    """That a network knew the test pictures before its training; empty if it did not."""
    if card.before is None:
        return ""
    return (
        f"Before training {card.name} got {percent(card.before.value)} of the test {noun} right"
        " already: if its weights come from an earlier training on some of them, what follows about"
        " its answers to unseen ones is too good."
    )


def _so_many(size: Size, noun: str) -> str:
    """A number of training faces, and how many of them were shown if not all."""
    shown = "" if size.shown is None else f" ({size.shown:,} of them shown)"
    return f"{size.faces:,} {noun}{shown}"


def _unreached(card: Card, steps: int, noun: str) -> str:
    """The training sets of which the networks were not shown all."""
    short = [size for size in card.learning if size.shown is not None]
    if not short:
        return ""
    of = listed([f"{size.faces:,}" for size in short])
    return (
        f"In {in_steps(steps)} it is shown only {short[0].shown:,} of its {of} training {noun}:"
        " what is said of so many counts the others as trained on, and shows less of what it"
        " memorized."
    )


def _unstudied(card: Card, noun: str) -> str:
    """The training sets that in some seeds lack groups of the test set."""
    short = [size for size in card.learning if size.unstudied]
    if not short:
        return ""
    seeds = listed(
        [f"{those(each.unstudied, 'seed', 'seeds')} with {each.faces:,}" for each in short]
    )
    return (
        f"In {seeds} training {noun} the training set lacks groups (class and --groups together) of"
        f" more than {percent(TOLD, 0)} of the test {noun}: what is said of memory with these may"
        " come from that."
    )


def _unfitted(cards: Sequence[Card], steps: int, subject: Subject) -> str:
    """The training sets that not every seed of any of the networks fitted, and what that means for
    the other sentences."""
    short = [card for card in cards if any(size.unfitted for size in card.learning)]
    if not short:
        return ""
    noun = subject.noun
    got = listed([f"{card.name} gets {_shares(card)} right" for card in short])
    twice = "" if subject.drawn else f", or some {noun} are there twice, with different labels"
    wider = " or a larger --width" if any(has_width(card.model) for card in short) else ""
    return (
        f"In {in_steps(steps)} not every seed fits its training {noun}: {got} (means;"
        f" {percent(FITTED, 0)} in every seed would count). Such networks were still learning, or"
        f" are too small{twice}: what follows on the {noun} needed and on memory may change with"
        f" more --steps{wider}."
    )


def _shares(card: Card) -> str:
    """The share of each training set that is not fitted which a network gets right."""
    found = [(size.faces, size.unfitted) for size in card.learning if size.unfitted]
    return listed([f"{percent(share.value)} of {faces:,}" for faces, share in found])


def _trained(size: Size) -> str:
    """Train accuracy by which memory is judged, marked where not every seed fits the labels."""
    return f"{interval(size.train)}{', not fitted' if size.unfitted else ''}"


def _exponent(card: Card, subject: Subject) -> str:
    if card.power_law is None:
        uneven = subject.frequent > subject.chance
        if uneven and card.best.test.interval[0] <= subject.frequent:
            return f"none: accuracy not surely above that of always answering {subject.usual}"
        return "none: accuracy near chance"
    exponent = card.power_law.exponent
    return estimated(exponent)


def _largest(card: Card) -> str:
    largest = card.largest_fitted
    if largest is None:
        return f"fewer than {card.random_labels[0].faces:,}"
    tried = card.random_labels[-1].faces
    return f"{largest:,} or more" if largest == tried else f"{largest:,}"
