"""The text of a report card: sentences in plain words, and tables."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core import words
from lab.core.estimate import Estimate
from lab.core.metrics import heading, limits
from lab.core.words import estimated, listed, over_seeds, percent, spoken
from lab.experiments.metrics import FITTED
from lab.experiments.report_card.card import TARGETS, Card

Row = tuple[str, ...]


def sentences(cards: Sequence[Card], *, steps: int, compared: str) -> list[str]:
    """Sentences on the first card, compared with the others."""
    card, *others = cards
    said = [
        f"{card.name} has {card.parameters:,} parameters and trains at {card.training_speed:.2g}"
        f" times the speed of {compared}.",
        _needs(card, others),
    ]
    if card.power_law is not None:
        exponent = card.power_law.exponent
        said.append(
            f"Its test error falls as (number of faces)^{exponent.value:.2f}"
            f" ({words.interval(exponent)})."
        )
    said += [_random(card, steps), _membership(card)]
    if card.cues:
        said.append(_cues(card))
    if card.parts:
        said.append(_parts(card))
    said.append(_kinds(card))
    return [*said, *([card.doubt] if card.doubt else [])]


def summary_rows(cards: Sequence[Card]) -> tuple[Row, list[Row]]:
    """The header and the rows of the table with a column for each network."""
    rows: list[tuple[str, list[str]]] = [
        ("parameters", [f"{card.parameters:,}" for card in cards]),
        ("training speed", [f"{card.training_speed:.2g} ×" for card in cards]),
        ("prediction speed", [f"{card.answering_speed:.2g} ×" for card in cards]),
    ]
    for number, target in enumerate(TARGETS):
        row = [str(card.needed[number]) for card in cards]
        rows.append((f"faces for {percent(target, 0)} test accuracy", row))
    rows.append(("exponent of the test error", [_exponent(card) for card in cards]))
    guess = f"(a guess: {cards[0].chance:.2f})"
    for k, size in enumerate(cards[0].learning):
        row = [interval(card.learning[k].test) for card in cards]
        rows.append((f"test accuracy {guess}, {size.faces:,} faces", row))
    for k, size in enumerate(cards[0].learning):
        row = [interval(card.learning[k].membership_auc) for card in cards]
        rows.append((f"membership AUC, {size.faces:,} faces", row))
    rows.append(("largest set of random labels fitted", [_largest(card) for card in cards]))
    for cue in cards[0].cues:
        row = [interval(card.cues[cue].reliance) for card in cards]
        rows.append((f"reliance on {spoken(cue)} as the only cue", row))
    for kind in cards[0].subpopulations:
        rows.append(
            (
                f"accuracy on subpopulation: {kind}",
                [interval(c.subpopulations[kind]) for c in cards],
            )
        )
    for tag in dict.fromkeys(tag for card in cards for tag in card.metrics):
        values = [card.metrics.get(tag) for card in cards]
        low, high = limits(tag)
        row = ["—" if v is None else over_seeds(v.within(low, high)) for v in values]
        rows.append((f"{heading(tag)}, {cards[0].best.faces:,} faces", row))
    return ("", *(card.name for card in cards)), [(name, *cells) for name, cells in rows]


def part_rows(cards: Sequence[Card]) -> tuple[Row, list[Row]]:
    """The header and the rows of the table of all subsets of the parts, the complete face first."""
    rows = [
        (parts, f"{number == 0:d}", *(interval(card.parts[parts]) for card in cards))
        for number, parts in enumerate(reversed(list(cards[0].parts)))
    ]
    return ("parts", "true rule", *(card.name for card in cards)), rows


def to_markdown(
    cards: Sequence[Card], said: Sequence[str], *, command: str, conditions: str
) -> str:
    """The whole card as Markdown, without pictures."""
    blocks = [
        f"# Report card: {cards[0].name}",
        "\n".join(f"- {sentence}" for sentence in said),
        _table(*summary_rows(cards)),
    ]
    if cards[0].parts:
        blocks += ["Share of faces with these parts that is predicted to be a person:",
                   _table(*part_rows(cards))]  # fmt: skip
    blocks += [conditions, f"Made by `{command}`"]
    return "\n\n".join(blocks) + "\n"


def interval(share: Estimate) -> str:
    """A share, the mean over seeds, with its interval."""
    return over_seeds(share.within(0, 1))


def _table(header: Row, rows: Sequence[Row]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _needs(card: Card, others: Sequence[Card]) -> str:
    low, high = card.needed
    less, more = percent(low.target, 0), percent(high.target, 0)
    said = f"For {less} test accuracy it needs {low} faces, for {more} {high}"
    beside = ", ".join(f"{other.name} {other.needed[0]}" for other in others)
    return f"{said} (for {less}: {beside})." if beside else f"{said}."


def _random(card: Card, steps: int) -> str:
    largest = card.largest_fitted
    tried = card.random_labels[-1].faces
    if largest is None:
        least = card.random_labels[0]
        return (
            f"In {steps:,} steps not every seed fits even {least.faces:,} random labels"
            f" (the mean is {percent(least.train.value, 0)} of them; {percent(FITTED, 0)} in every"
            " seed would count): it cannot memorize that much, or not that fast."
        )
    more = ", the most that were tried" if largest == tried else f", but not {_next(card):,}"
    return (
        f"In {steps:,} steps it fits {largest:,} random labels{more}: training accuracy on so few"
        " faces does not show that it learned the task."
    )


def _next(card: Card) -> int:
    """The smallest number of random labels above the largest fitted one that was not fitted."""
    fitted = card.largest_fitted or 0
    return min(each.faces for each in card.random_labels if each.faces > fitted)


def _membership(card: Card) -> str:
    first, last = card.learning[0], card.learning[-1]
    return (
        "Its losses tell training faces from unseen ones with AUC"
        f" {interval(first.membership_auc)} after {first.faces:,} faces and"
        f" {interval(last.membership_auc)} after {last.faces:,}; 0.5 would be a guess."
    )


def _cues(card: Card) -> str:
    ranked = sorted(card.cues, key=lambda cue: -card.cues[cue].among_all.value)
    alone = ", ".join(
        f"{spoken(cue)} {interval(adopted.reliance)}" for cue, adopted in card.cues.items()
    )
    first = ranked[0]
    most = card.cues[first].among_all
    rivals = [spoken(cue) for cue in ranked[1:] if not apart(most, card.cues[cue].among_all)]
    unless = f", which cannot be told from {listed(rivals)}" if rivals else ""
    return (
        "Reliance on each cue, where it alone determines the label in training:"
        f" {alone}. Where all of them do, it relies most on {spoken(first)}"
        f" {interval(most)}{unless}."
    )


def _parts(card: Card) -> str:
    *others, whole = card.parts
    worst = max(others, key=lambda parts: card.parts[parts].value)
    taken = card.parts[worst]
    rivals = sum(not apart(taken, card.parts[each]) for each in others) - 1
    sets = f"{rivals} other set{'s' if rivals > 1 else ''}"
    unless = f", which cannot be told from {sets} of parts" if rivals else ""
    return (
        f"Trained on {card.best.faces:,} faces it predicts {percent(card.parts[whole].value, 0)} of"
        " complete faces to be persons. Of the incomplete ones it does so most often for:"
        f" {worst} {interval(taken)}{unless}."
    )


def _kinds(card: Card) -> str:
    worst = min(card.subpopulations, key=lambda kind: card.subpopulations[kind].value)
    shares = ", ".join(f"{kind} {interval(share)}" for kind, share in card.subpopulations.items())
    rivals = [
        k
        for k, share in card.subpopulations.items()
        if k != worst and not apart(share, card.subpopulations[worst])
    ]
    unless = f", which cannot be told from {listed(rivals)}" if rivals else ""
    return f"Accuracy by subpopulation: {shares}. It is lowest on {worst}{unless}."


def apart(high: Estimate, low: Estimate) -> bool:
    """Whether the interval of one lies above that of the other."""
    return high.interval[0] > low.interval[1]


def _exponent(card: Card) -> str:
    if card.power_law is None:
        return "none: accuracy near chance"
    exponent = card.power_law.exponent
    return estimated(exponent)


def _largest(card: Card) -> str:
    largest = card.largest_fitted
    if largest is None:
        return f"fewer than {card.random_labels[0].faces:,}"
    tried = card.random_labels[-1].faces
    return f"{largest:,} or more" if largest == tried else f"{largest:,}"
