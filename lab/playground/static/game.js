// The guessing game: a face, the training of a run, and the question which class it predicts.

import { ask } from "./api.js";
import { reasonWords } from "./controls.js";
import { described } from "./easel.js";
import { button, fill, h, percent } from "./dom.js";

export class Game {
  constructor(state, runs) {
    Object.assign(this, { state, runs, right: 0, played: 0 });
    this.body = h("div", { class: "game-body" });
    this.score = h("span", { class: "score", "aria-live": "polite" });
    this.element = h("dialog", { class: "game", "aria-label": "Guessing game" },
      h("div", { class: "panel-head" }, h("h2", {}, "What will it predict?"), this.score,
        button("Close", () => this.element.close())),
      this.body);
  }

  close() {
    this.element.close();
  }

  open() {
    if (!this.element.open) this.element.showModal();
    this.#round();
  }

  async #round() {
    this.#score();
    const ready = this.runs.all.filter((run) => run.kind === "ready" && !run.answer?.trouble);
    if (!ready.length) {
      fill(this.body, h("p", {}, "There is no trained run in the logdir. Train one first: python3 scripts/train.py"));
      return;
    }
    fill(this.body, h("p", { class: "hint" }, "Choosing a face …"));
    const run = ready[Math.floor(Math.random() * ready.length)];
    const number = Math.floor(Math.random() * 1_000_000);
    try {
      this.#show(await ask("round", { run: run.name, number }));
    } catch (error) {
      fill(this.body, h("p", { class: "failed" }, error.message), button("Another one", () => this.#round()));
    }
  }

  #show(round) {
    const outcome = h("div", { "aria-live": "polite" });
    const choices = round.classes.map((name, i) => button(name, () => {
      for (const choice of choices) choice.disabled = true;
      this.#reveal(round, i, outcome);
    }, { class: "choice" }));
    const task = this.runs.task(this.runs.find(round.run));
    fill(this.body,
      h("div", { class: "game-columns" },
        h("div", {},
          h("img", { class: "picture", src: round.picture, alt: described(round.face, this.state.attributes), width: 256, height: 256 }),
          h("div", { class: "seen" }, h("img", { src: round.seen, alt: "", width: 64, height: 64 }),
            h("p", { class: "hint" }, `Input of the network: ${round.size} × ${round.size} pixels.`))),
        h("div", {},
          h("p", {}, "How the network was trained:"),
          h("ul", {}, round.conditions.map((each) => h("li", {}, each))),
          h("p", { class: "hint" }, `Its task: ${task?.meaning ?? round.meaning}.`),
          h("p", {}, h("b", {}, "Which class will it predict for this picture?")),
          h("div", { class: "tools" }, choices))),
      outcome);
    choices[0]?.focus();
  }

  #reveal(round, guess, outcome) {
    const hit = guess === round.says;
    this.played += 1;
    this.right += hit;
    this.#score();
    const { says, truth, classes } = round;
    const because = reasonWords(round.why, this.state.attributes);
    const honest = says === truth ? "which is right" : `which is wrong: the true label is ${classes[truth]}${because && ` (${because})`}`;
    const next = button("Next", () => this.#round(), { class: "primary" });
    fill(outcome,
      h("p", { class: hit ? "right" : "wrong" }, hit ? "✓ You guessed it." : "✗ Not what you guessed."),
      h("p", {}, `“${round.run}” predicts ${classes[says]} (${percent(round.chances[says])}), ${honest}.`),
      h("div", { class: "tools" }, next,
        button("Load this face", () => {
          this.element.close();
          this.state.change(round.face);
          this.state.pin(round.run, true);
        }, { title: "Load this face into the controls and pin the run" })));
    next.focus();
  }

  #score() {
    this.score.textContent = this.played ? `${this.right} of ${this.played} guessed` : "";
  }
}
