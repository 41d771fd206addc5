"""What a pool's page and its sentences say, to readers who know nothing of pools."""

import re
from dataclasses import replace

import pytest
import torch
from PIL import ImageFont

from lab.core.estimate import Estimate
from lab.core.words import share
from lab.experiments.show.page import together
from lab.measure.shadow_models import true_positive_rates
from lab.pool import run_pool
from lab.pool.attacks import FRESH
from lab.pool.findings import Findings
from lab.pool.influence import influence_section
from lab.pool.pictures import extremes
from lab.pool.report import attack_rows, report
from lab.pool.words import sentences, tell
from lab.tracking.sheets import COLUMNS, WIDTH
from support.configs import tiny
from support.executors import Here
from support.pools import visible


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Those of a pool of faces with wrong labels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
        config = tiny(
            tmp_path_factory.mktemp("pools"), num_train=60, num_test=40, model="linear",
            steps=20, label_noise=0.3,
        )  # fmt: skip
        return Findings.of(run_pool(replace(config, pictures=True), networks=20))


def with_means(findings: Findings, **means: tuple[float, float, float]) -> list[str]:
    """What is said of subpopulations with these mean scores and their intervals."""
    (part, *_) = findings.subpopulations.values()
    parts = {name: replace(part, mean=Estimate(*mean)) for name, mean in means.items()}
    told = tell(replace(findings, subpopulations=parts)).causes
    return [line for line in told if "subpopulations" in line]


def test_an_order_is_said_only_where_intervals_tell_it(findings: Findings) -> None:
    high, near, low = (0.41, 0.36, 0.47), (0.40, 0.33, 0.46), (0.19, 0.13, 0.26)
    (said,) = with_means(findings, missing=high, scrambled=near, object=low)
    assert "object is memorized least (mean score 0.19 (0.13–0.26))" in said
    assert "memorized most cannot be told" in said
    assert "0.41 (0.36–0.47) for missing and 0.40 (0.33–0.46) for scrambled" in said
    (said,) = with_means(findings, missing=low, scrambled=near, object=high, person=(0.9, 0.8, 1.0))
    assert "person is memorized most" in said
    assert "missing is memorized least" in said
    (said,) = with_means(findings, missing=(0.9, 0.8, 1.0), scrambled=high, object=near)
    assert "missing is memorized most" in said
    assert "memorized least cannot be told" in said
    (said,) = with_means(findings, missing=high, scrambled=near)
    assert "none is memorized more than another" in said
    (said,) = with_means(
        findings, missing=high, scrambled=(0.3, 0.2, 0.4), object=(0.25, 0.2, 0.3), person=near
    )
    assert "missing is memorized more than object" in said
    assert "most" not in said.split(";")[0]
    assert not with_means(findings, missing=high)


def test_the_page_stands_alone(findings: Findings) -> None:
    section = influence_section(findings)
    report(findings.result, findings=findings)
    folder = findings.result.folder
    page = (folder / "pool.html").read_text(encoding="utf-8")
    text = visible(page)
    assert folder.name not in re.findall(r"<h1>.*?</h1>", page)[0]
    heads = re.findall(r"<h2>(.*?)</h2>", page)
    assert [
        word for head, word in zip(
            heads, ("heart", "Which", "Why", "unseen", "attacker", "researchers"), strict=True
        ) if word in head
    ] == ["heart", "Which", "Why", "unseen", "attacker", "researchers"]  # fmt: skip
    assert text.index("score = share of right predictions") < text.index(sentences(findings)[0])
    fine = text.index("For researchers")
    assert section is not None
    for line in (*tell(findings).checks, *section.checks):
        assert text.index(line) > fine
    for line in (*tell(findings).causes, *tell(findings).attack, *section.sentences):
        assert text.index(line) < fine
    meanings = page[page.index("<details>") : page.index("</details>")]
    terms = " ".join(re.findall(r"<dt>(.*?)</dt>", meanings))
    for word in ("network", "trained on", "member", "left out", "fresh", "interval", "LiRA", "RMIA",
                 "offline", "false positives", "influence", "permutation test", "wrong label",
                 "ordinary", "subpopulation", "loss threshold"):  # fmt: skip
        assert word in terms, word
    for kind in findings.subpopulations:
        assert f"{kind}:" in meanings, kind
    wrong = int(findings.result.train.mislabeled.sum())
    assert "30 % of the labels were drawn by lot" in meanings.replace("\xa0", " ")
    assert f"{100 * wrong / 60:.0f} % are wrong" in meanings.replace("\xa0", " ")
    for cell in re.findall(r"<td data-head=\"(.*?)\"", page):
        assert cell, "stacked tables name their columns"


def test_faces_are_shown_with_their_numbers_and_said_once(findings: Findings) -> None:
    most, least = extremes(findings)
    scores, train = findings.scores.score, findings.result.train
    font = ImageFont.load_default(size=13)
    numbers = []
    for cell in (*most, *least):
        lines = [text for text, _ in cell.caption]
        number = int(lines[0].split()[-1])
        numbers.append(number)
        assert lines[1].startswith(f"{float(scores[number]):.2f} ± ")
        assert len(set(lines)) == len(lines)
        assert max(font.getlength(line) for line in lines) < WIDTH // COLUMNS - 12, "it has room"
        wrong = train.labels[number] != train.clean_labels[number]
        assert any(line.startswith("is: ") for line in lines) == wrong
    shown = scores[torch.tensor(numbers[: len(most)])].tolist()
    assert shown == sorted(shown, reverse=True)


def test_low_rates_have_the_digits_that_they_need(findings: Findings) -> None:
    scores = torch.rand(20, 20_000, generator=torch.Generator().manual_seed(0))
    members = scores.argsort(dim=1) % 2 == 0
    rates = true_positive_rates(scores, members, false_positive_rates=FRESH)
    assert findings.attacks is not None
    found = dict(zip(FRESH, rates, strict=True))
    attacks = replace(findings.attacks, fresh={"an attack": found})
    _, (header, row, _) = attack_rows(attacks, "faces")
    assert header[1:] == ("10 %", "1 %", "0.1 %", "0.01 %")
    assert re.fullmatch(r"0\.0[01] % \(0\.\d\d–0\.\d\d\)", row[-1])
    assert row[1] == share(found[0.1])


def test_numbers_stay_whole_at_the_end_of_a_line() -> None:
    said = str(together("5 % (95 % interval: 1.0–2.0) & 28 ± 5, -0.1 (-0.3 to +0.2) of a (b)"))
    assert "5 %" not in said
    assert " ± " not in said
    assert '<span class="nb">(-0.3 to +0.2)</span>' in said
    assert said.count("<span") == 2
    assert "&amp;" in said
    assert visible(said) == "5 % (95 % interval: 1.0–2.0) & 28 ± 5, -0.1 (-0.3 to +0.2) of a (b)"
    assert "<b>" not in str(together("<b>"))
