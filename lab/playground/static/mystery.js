// Mystery networks: three runs without names. Which is useful, which has memorized, which cheats?

import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";

const KINDS = {
  useful: ["useful network", "It goes by what makes a person."],
  memorizer: ["memorizer", "It knows its training faces by heart, and little else."],
  shortcut: ["cheat", "It takes a shortcut: something that told the label of its training faces."],
};
const NAMES = ["A", "B", "C"];
const LEVEL = "mystery"; // as what the address names the game

export class Mystery {
  /** `page` is the element that gets the class "mystery" while the game goes on; `closed(runs)`
   * is called when the networks get their names back, with those of a riddle that is solved. */
  constructor(state, runs, { page, closed }) {
    Object.assign(this, { state, runs, page, closed, on: false });
    this.body = h("div", {});
    this.element = h("section", { class: "panel riddle", "aria-label": "Mystery networks", hidden: true }, this.body);
    state.listen((what) => what === "face" && this.#count());
  }

  open() {
    const of = (kind) => this.runs.all.filter((run) => run.kind === "ready" && run.character === kind);
    const missing = Object.keys(KINDS).filter((kind) => !of(kind).length);
    this.element.hidden = false;
    this.state.enter(LEVEL); // who loads the page anew gets a new round
    if (missing.length) {
      fill(this.body, h("h2", {}, "Mystery networks"),
        h("p", {}, `This needs a useful network, a memorizer and a cheat; the logdir has no ${missing.map((kind) => KINDS[kind][0]).join(" and no ")} (networks that were trained on the page do not count). One command trains all three, in about two minutes on two idle cores:`),
        h("pre", {}, `python3 scripts/lesson.py --networks --out ${this.runs.logdir}`),
        button("Close", () => this.close()));
      this.element.scrollIntoView({ block: "nearest" });
      return;
    }
    const chosen = shuffled(Object.keys(KINDS)).map((kind) => ({ kind, run: pick(of(kind)).name }));
    this.riddle = chosen.map((each, i) => ({ ...each, alias: NAMES[i] }));
    this.asked = null; // the round begins with the first face
    this.on = true;
    this.element.classList.remove("told");
    this.page.classList.add("mystery");
    this.runs.disguise(new Map(this.riddle.map(({ run, alias }) => [run, alias])));
    this.#draw();
    this.#begin();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Begin with a person that nobody has seen, with a value of the cheat's cue, so that a change of
   * it tells the cheat; nothing is counted before the face is there. */
  async #begin() {
    const { riddle } = this;
    let face = {}; // without an answer, the face that is shown will do
    const { run } = riddle.find(({ kind }) => kind === "shortcut");
    try {
      ({ face } = await ask("random", { number: Math.floor(Math.random() * 2 ** 31), run }));
    } catch {}
    if (!this.on || this.riddle !== riddle) return; // closed, or begun anew
    this.asked = new Set();
    this.state.begin(face);
    this.#count();
  }

  #draw() {
    this.counted = h("p", { "aria-live": "polite" }, "0 faces asked so far.");
    this.guesses = this.riddle.map(({ alias }) => h("select", { "aria-label": `Network ${alias} is`, onchange: () => this.#ready() },
      h("option", { value: "" }, "?"), Object.entries(KINDS).map(([value, [words]]) => h("option", { value }, words))));
    this.reveal = button("Reveal", () => this.#reveal(), { class: "primary", disabled: true });
    fill(this.body, h("h2", {}, "Mystery networks"),
      h("p", {}, "One of these networks is useful, one has memorized its training faces, and one cheats: it takes a shortcut. All three were right about nearly all their training faces, and answer the face that you set. Change one thing at a time, or take a part away. Fewer faces are better, but take as many as you need to be sure: if two look alike, ten random faces tell them apart."),
      this.counted,
      h("div", { class: "tools" }, this.riddle.map(({ alias }, i) => h("label", {}, `${alias}: `, this.guesses[i])), this.reveal, button("Give up", () => this.#reveal({ gaveUp: true }))));
  }

  #count() {
    if (!this.on || !this.asked) return;
    this.asked.add(this.state.written());
    this.counted.textContent = `${faces(this.asked.size)} asked so far.`;
  }

  #ready() {
    const values = this.guesses.map((guess) => guess.value);
    this.reveal.disabled = values.some((value) => !value) || new Set(values).size < values.length;
  }

  #reveal({ gaveUp = false } = {}) {
    const right = this.riddle.filter(({ kind }, i) => this.guesses[i].value === kind).length;
    const count = faces(this.asked?.size ?? 0);
    const { riddle } = this, guessed = this.guesses.map((guess) => guess.value);
    this.runs.letter(new Map(riddle.map(({ run, alias }) => [run, alias])));
    this.close(riddle.map(({ run }) => run));
    this.element.hidden = false;
    this.element.classList.add("told");
    fill(this.body, h("h2", {}, "Mystery networks"),
      h("p", { class: gaveUp ? "" : right === 3 ? "right" : "wrong", role: "status" }, gaveUp ? `After ${count}, this is what they were:` : right === 3 ? `✓ All three found with ${count}.` : `✗ ${right} of 3 found, with ${count}.`),
      h("ul", {}, riddle.map(({ alias, kind, run }, i) => h("li", {}, h("b", {}, `${alias} = the ${KINDS[kind][0]}`), ` (“${run}”). ${KINDS[kind][1]}${kind === "shortcut" ? this.#cue(run) : ""}`,
        gaveUp ? null : h("span", { class: guessed[i] === kind ? "right" : "wrong" }, guessed[i] === kind ? " ✓ You said so." : ` ✗ You said: ${KINDS[guessed[i]][0]}.`)))),
      h("div", { class: "tools" }, button("Play again", () => this.open(), { class: "primary" }),
        button("Pin all three", () => { for (const { run } of riddle) this.state.pin(run, true); this.close(); }), button("Close", () => this.close())));
    this.element.scrollIntoView({ block: "start" });
  }

  /** What the shortcut is, of those that its settings name. */
  #cue(run) {
    const cues = (this.runs.all.find((each) => each.name === run)?.conditions ?? []).filter((each) => each.includes("agrees with the label"));
    return cues.length ? ` Here ${cues.join(", and ")}.` : "";
  }

  /** `found` are the runs of a riddle that is solved. */
  close(found = []) {
    this.element.hidden = true;
    this.element.classList.remove("told");
    if (this.state.level === LEVEL) this.state.enter(null);
    if (!this.on) return;
    this.on = false;
    this.page.classList.remove("mystery");
    this.runs.disguise(null);
    this.closed(found);
  }
}

const faces = (count) => `${count} face${count === 1 ? "" : "s"}`;
const pick = (list) => list[Math.floor(Math.random() * list.length)];

function shuffled(list) {
  return list.map((value) => [Math.random(), value]).sort((a, b) => a[0] - b[0]).map(([, value]) => value);
}
