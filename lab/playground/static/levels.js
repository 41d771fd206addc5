// Levels: choose the training faces of a small network out of a tray, and see what it learned.

import { Overtaken, ask, before } from "./api.js";
import { button, fill, h, percent } from "./dom.js";

const LOOK = 1000; // milliseconds between two looks at the queue while a level's network waits for its training
const MEASURES = {
  fitted: ["Its training faces", "answered as labeled"],
  unseen: ["Unseen faces", "right"],
  conflicting: ["Brown-eyed persons, blue-eyed others", "right"],
  mouth: ["Unseen faces of which only the mouth is changed", "of the answers change"],
  eyes: ["Unseen faces of which only the eyes' color is changed", "of the answers change"],
};

export class Levels {
  /** `page` is the element that shows nothing besides while levels are open that a link asked for. */
  constructor(state, { page }) {
    Object.assign(this, { state, page, chosen: new Set(), solved: new Set() });
    this.tabs = h("div", { class: "tools level-tabs", role: "group", "aria-label": "Levels" });
    this.body = h("div", { class: "level" });
    this.element = h("dialog", { class: "levels", "aria-label": "Choose what it sees" },
      h("div", { class: "panel-head" }, h("h2", {}, "Choose what it sees"), button("Close", () => this.close())),
      h("p", { class: "rule-here" }, h("b", {}, "Here a person is any face with a mouth"), ", and nothing else counts. A small network is trained, in a few seconds, on the faces that you choose. What will it go by?"),
      this.tabs, this.body);
    this.element.addEventListener("close", () => { // later than close(): meanwhile a link may have opened something else
      if (this.element.open) return;
      this.page.classList.remove("levels-only");
      if (this.state.level !== null && this.state.level === (this.level?.name ?? this.wanted)) this.state.enter(null);
    });
  }

  close() {
    this.element.close();
  }

  /** Open the dialog at a level; empty: the first. `only`: the page behind it is not shown until the
   * dialog is closed. */
  async open(name = "", { only = false } = {}) {
    this.wanted = name;
    if (only) this.page.classList.add("levels-only");
    if (!this.element.open) this.element.showModal();
    if (!this.levels) fill(this.body, h("p", { class: "hint" }, "Loading the levels …"));
    try {
      this.levels ??= (await ask("levels")).levels;
      await this.#show(this.levels.find((level) => level.name === name) ?? this.levels[0]);
    } catch (error) {
      fill(this.body, h("p", { class: "failed" }, error.message));
    }
  }

  async #show(level) {
    this.level = level;
    this.state.enter(level.name);
    this.chosen.clear();
    this.#mark();
    fill(this.body, h("p", { class: "hint" }, "Drawing the tray …"));
    this.tray = await ask("tray", { level: level.name });
    const { faces, classes } = this.tray;
    const groups = [...new Set(faces.map((face) => face.group))].filter(Boolean).sort();
    this.count = h("b", { "aria-live": "polite" });
    this.go = button("▶ Train on these", () => this.#play(), { class: "primary" });
    this.cards = faces.map((face, i) => this.#card(face, i, classes));
    this.sliders = groups.map((group) => this.#slider(group));
    this.outcome = h("div", { class: "outcome", "aria-live": "polite" }, h("p", { class: "hint" }, "What the network has learned is told here."));
    fill(this.body,
      h("p", {}, h("b", {}, `${level.title}. `), level.goal),
      this.sliders.length ? h("div", { class: "mix" }, this.sliders.map((slider) => slider.element)) : null,
      h("div", { class: "tools" }, this.go, button("Choose none", () => { this.chosen.clear(); this.#counted(); }), this.count),
      h("div", { class: "desk" }, this.outcome, h("div", { class: "tray", role: "group", "aria-label": "The tray: click on faces to choose them" }, this.cards.map((card) => card.element))));
    this.#counted();
  }

  #mark() {
    fill(this.tabs, this.levels.map((level, i) => button(`${this.solved.has(level.name) ? "✓ " : ""}${i + 1}. ${level.title}`, () => this.#show(level).catch((error) => fill(this.body, h("p", { class: "failed" }, error.message))), {
      "aria-current": level === this.level ? "true" : null, class: level === this.level ? "chosen" : "",
    })));
  }

  #card(face, i, classes) {
    const words = `Face ${i}: ${classes[face.label]}, ${face.eyes} eyes${this.level.name === "heart" ? (face.label === face.truth ? ", right label" : ", wrong label") : ""}`;
    const element = button([h("img", { src: face.picture, alt: "", width: 80, height: 80 }), h("span", { class: "number" }, String(i)), h("span", {}, classes[face.label])], () => {
      if (!this.chosen.delete(i)) this.chosen.add(i);
      this.#counted();
    }, { class: "card", title: words, "aria-label": words });
    return { element, face };
  }

  /** A slider for the number of chosen faces of one group, the first ones of the tray. */
  #slider(group) {
    const members = this.tray.faces.map((_, i) => i).filter((i) => this.tray.faces[i].group === group);
    const output = h("output", {});
    const input = h("input", {
      type: "range", min: 0, max: Math.min(members.length, this.level.most), step: 1, "aria-label": groupWords(group),
      oninput: () => {
        members.forEach((i, place) => { if (place < Number(input.value)) this.chosen.add(i); else this.chosen.delete(i); });
        this.#counted();
      },
    });
    const show = () => {
      const count = members.filter((i) => this.chosen.has(i)).length;
      input.value = count;
      output.textContent = `${count} of ${members.length}`;
    };
    return { show, element: h("label", { class: "mix-row" }, h("span", {}, groupWords(group)), input, output) };
  }

  #counted() {
    const { least, most } = this.level, count = this.chosen.size;
    this.cards.forEach((card, i) => {
      card.element.classList.toggle("chosen", this.chosen.has(i));
      card.element.setAttribute("aria-pressed", this.chosen.has(i));
    });
    for (const slider of this.sliders) slider.show();
    this.count.textContent = `${count} chosen (${least} to ${most})`;
    this.count.className = count > most ? "failed" : "";
    this.go.disabled = count < least || count > most;
  }

  async #play() {
    const { level } = this;
    this.go.disabled = true;
    const words = h("p", {}, "Training …");
    fill(this.outcome, words);
    const queue = setInterval(async () => {
      const count = await before("play").catch(() => 0);
      words.textContent = count ? `Waiting … ${count} ${count === 1 ? "is" : "are"} before yours.` : "Training …";
    }, LOOK);
    try {
      const told = await ask("play", { level: level.name, chosen: [...this.chosen].sort((a, b) => a - b).join(",") }, "play");
      if (level !== this.level) return;
      if (told.passed) this.solved.add(level.name);
      this.#mark();
      this.#judge(told);
    } catch (error) {
      if (!(error instanceof Overtaken)) fill(this.outcome, h("p", { class: "failed" }, error.message));
    } finally {
      clearInterval(queue);
      this.#counted();
      if (document.activeElement === document.body || document.activeElement === this.element) this.go.focus();
    }
  }

  #judge(told) {
    const { classes } = this.tray;
    const next = this.levels[this.levels.indexOf(this.level) + 1];
    fill(this.outcome,
      h("p", { class: told.passed ? "right" : "wrong" }, h("b", {}, told.passed ? "✓ Solved. " : "✗ Not yet. "), told.words),
      h("ul", {}, Object.entries(MEASURES).map(([name, [what, words]]) => {
        const [value, low, high] = told.judged[name];
        return h("li", {}, `${what}: `, h("b", {}, percent(value)), ` ${words} `, h("span", { class: "hint whole" }, `(95\u00a0% interval: ${Math.round(100 * low)}–${Math.round(100 * high)})`));
      })),
      h("p", { class: "hint" }, "What it says about unseen faces, those that it is wrong about first:"),
      h("ul", { class: "near small" }, told.shown.map((each) => h("li", { class: each.says === each.truth ? "" : "mislabeled" },
        h("img", { src: each.picture, alt: `${classes[each.truth]}`, width: 80, height: 80 }),
        h("span", { class: each.says === each.truth ? "right" : "wrong" }, `${each.says === each.truth ? "✓" : "✗"} answered: ${classes[each.says]}`)))),
      told.passed && next ? button(`Next: ${next.title}`, () => this.#show(next), { class: "primary" }) : null);
  }
}

/** The name of a group of faces: "wrong label: person" as 'labeled "person", which is wrong'. */
function groupWords(group) {
  const [, how, label] = /^(right|wrong) label: (.*)$/.exec(group) ?? [];
  return how ? `labeled “${label}”, which is ${how}` : group;
}
