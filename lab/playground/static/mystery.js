// Mystery networks: three runs without names. Which is useful, which has memorized, which cheats?

import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";

const KINDS = {
  useful: ["useful network", "It goes by what makes a person."],
  memorizer: ["memorizer", "It knows its training faces by heart, and little else."],
  shortcut: ["cheat", "It takes a shortcut: something that told the label of its training faces."],
};
const NAMES = ["A", "B", "C"];

export class Mystery {
  /** `page` is the element that gets the class "mystery" while the game goes on. */
  constructor(state, runs, { page }) {
    Object.assign(this, { state, runs, page, on: false });
    this.body = h("div", {});
    this.element = h("section", { class: "panel riddle", "aria-label": "Mystery networks", hidden: true }, this.body);
    state.listen((what) => what === "face" && this.#count());
  }

  open() {
    const of = (kind) => this.runs.all.filter((run) => run.kind === "ready" && run.character === kind);
    const missing = Object.keys(KINDS).filter((kind) => !of(kind).length);
    this.element.hidden = false;
    if (missing.length) {
      fill(this.body, h("h2", {}, "Mystery networks"),
        h("p", {}, `This needs a useful network, a memorizer and a cheat; the logdir has no ${missing.map((kind) => KINDS[kind][0]).join(" and no ")}. The commands for all three are in docs/class.md.`),
        button("Close", () => this.close()));
      return;
    }
    const chosen = shuffled(Object.keys(KINDS)).map((kind) => ({ kind, run: pick(of(kind)).name }));
    this.riddle = chosen.map((each, i) => ({ ...each, alias: NAMES[i] }));
    this.asked = null; // the round begins with the first face
    this.on = true;
    this.before = { pins: this.state.pins, step: this.state.step };
    this.page.classList.add("mystery");
    this.runs.disguise(new Map(this.riddle.map(({ run, alias }) => [run, alias])));
    this.#draw();
    this.#begin();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Begin with a face that nobody has seen; nothing is counted before it is there. */
  async #begin() {
    const { riddle } = this;
    let face = {}; // without an answer, the face that is shown will do
    try {
      ({ face } = await ask("random", { number: Math.floor(Math.random() * 2 ** 31) }));
    } catch {}
    if (!this.on || this.riddle !== riddle) return; // closed, or begun anew
    this.asked = new Set();
    this.state.change(face);
    this.#count();
  }

  #draw() {
    this.counted = h("p", { "aria-live": "polite" }, "0 faces asked so far.");
    this.guesses = this.riddle.map(({ alias }) => h("select", { "aria-label": `Network ${alias} is`, onchange: () => this.#ready() },
      h("option", { value: "" }, "?"), Object.entries(KINDS).map(([value, [words]]) => h("option", { value }, words))));
    this.reveal = button("Reveal", () => this.#reveal(), { class: "primary", disabled: true });
    fill(this.body, h("h2", {}, "Mystery networks"),
      h("p", {}, "One of these networks is useful, one has memorized its training faces, and one cheats: it takes a shortcut. All three were right about nearly all their training faces, and answer the face that you set. Change one thing at a time, and find out with as few faces as possible."),
      this.counted,
      h("div", { class: "tools" }, this.riddle.map(({ alias }, i) => h("label", {}, `${alias}: `, this.guesses[i])), this.reveal, button("Give up", () => this.#reveal({ gaveUp: true }))));
  }

  #count() {
    if (!this.on || !this.asked) return;
    this.asked.add(this.state.written());
    this.counted.textContent = `${this.asked.size} face${this.asked.size === 1 ? "" : "s"} asked so far.`;
  }

  #ready() {
    const values = this.guesses.map((guess) => guess.value);
    this.reveal.disabled = values.some((value) => !value) || new Set(values).size < values.length;
  }

  #reveal({ gaveUp = false } = {}) {
    const right = this.riddle.filter(({ kind }, i) => this.guesses[i].value === kind).length;
    const count = this.asked?.size ?? 0;
    const { riddle } = this;
    this.close();
    this.element.hidden = false;
    fill(this.body, h("h2", {}, "Mystery networks"),
      h("p", { class: gaveUp ? "" : right === 3 ? "right" : "wrong", role: "status" }, gaveUp ? `After ${count} faces, this is what they were:` : right === 3 ? `✓ All three found with ${count} faces.` : `✗ ${right} of 3 found, with ${count} faces.`),
      h("ul", {}, riddle.map(({ alias, kind, run }) => h("li", {}, h("b", {}, `${alias}: the ${KINDS[kind][0]}`), ` (“${run}”). ${KINDS[kind][1]}`))),
      h("div", { class: "tools" }, button("Play again", () => this.open(), { class: "primary" }),
        button("Pin all three", () => { for (const { run } of riddle) this.state.pin(run, true); this.close(); }), button("Close", () => this.close())));
  }

  close() {
    this.element.hidden = true;
    if (!this.on) return;
    this.on = false;
    this.page.classList.remove("mystery");
    this.runs.disguise(null);
  }
}

const pick = (list) => list[Math.floor(Math.random() * list.length)];

function shuffled(list) {
  return list.map((value) => [Math.random(), value]).sort((a, b) => a[0] - b[0]).map(([, value]) => value);
}
