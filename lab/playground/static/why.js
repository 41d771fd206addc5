// Explanations of the predictions of the pinned runs: five views, side by side for up to three runs.

import { Newest, Overtaken, ask } from "./api.js";
import { valueWords } from "./controls.js";
import { button, fill, h, listed, percent, settled } from "./dom.js";
import { TrainingFaces, showOverTraining } from "./over_training.js";
import { drawBar, marked, progress } from "./runs.js";
import { showStrips, whose } from "./strips.js";

const TABS = [
  ["strips", "Effect of each attribute"],
  ["parts", "Subsets of the parts"],
  ["nearest", "Nearest training faces"],
  ["over_training", "Over training"],
  ["fool", "Fool it"],
];
const QUIET = 300; // milliseconds without a change after which the views are drawn anew
const FRAME = 110; // milliseconds that a picture of an animation stays, at least

export class Why {
  /** `runs` is the list of runs; `redraw()` resolves once the picture and the predictions are those
   * for the state's face; `say` is for screen readers. */
  constructor(state, runs, { redraw, say }) {
    Object.assign(this, { state, runs, redraw, say });
    this.tab = state.view || "strips";
    this.playing = null;
    this.newest = new Newest();
    this.turn = 0; // number of the newest request for the pinned runs
    this.trainingFaces = new TrainingFaces(state);
    this.drawn = null; // the columns of the view that is shown
    this.fooled = new Map(); // run and step -> {face, told, about}: the result of a search, the face that it began with, and those that it played
    this.places = new Map(); // run -> the element that shows the result
    this.searching = new Set(); // runs with a search in progress
    this.body = h("div", { class: "why-body", role: "tabpanel", id: "why-body", tabIndex: 0 });
    this.tabs = TABS.map(([name, title], i) => button(title, () => (name === this.tab ? this.show() : this.state.show(name)), {
      role: "tab", id: `why-${name}`, "aria-controls": "why-body",
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) this.tabs[(i + step + TABS.length) % TABS.length].click();
        if (step) this.tabs[(i + step + TABS.length) % TABS.length].focus();
      },
    }));
    this.heads = h("div", { class: "heads columns" });
    this.element = h("section", { class: "panel why", "aria-label": "Explanations" },
      h("div", { class: "tabs", role: "tablist", "aria-label": "Views of the pinned runs" }, this.tabs), this.heads, this.body);
    this.later = settled(() => this.show(), QUIET);
    state.listen((what) => this.#changed(what));
    this.#mark();
  }

  #changed(what) {
    if (what === "view") this.follow();
    else if (what === "step" && this.tab === "over_training") this.#mark_step();
    else if (["recipe", "level", "album"].includes(what)) return;
    else if (what !== "face" || this.tab !== "fool") this.later();
    else this.#foolTexts();
  }

  /** The view over training holds all steps: only its mark moves. */
  #mark_step() {
    if (this.drawn?.tab === this.tab) this.#draw(this.tab, this.drawn.columns);
  }

  /** Open the view that the state names. */
  follow() {
    const tab = this.state.view || "strips";
    if (tab === this.tab) return;
    this.tab = tab;
    delete this.body.dataset.open;
    this.#mark();
    fill(this.body);
    this.show();
  }

  #mark() {
    TABS.forEach(([name], i) => {
      this.tabs[i].setAttribute("aria-selected", name === this.tab);
      this.tabs[i].tabIndex = name === this.tab ? 0 : -1;
    });
    this.body.setAttribute("aria-labelledby", `why-${this.tab}`);
  }

  #pinned() {
    return this.state.pins.filter((name) => this.runs.find(name)?.kind === "ready" && !this.runs.find(name).answer?.trouble);
  }

  /** Show the predictions of the pinned runs above their explanations. */
  answer() {
    const pins = this.#pinned();
    this.heads.classList.toggle("indented", this.tab === "strips");
    this.heads.hidden = !pins.length;
    if (this.heads.dataset.runs !== JSON.stringify(pins)) {
      this.heads.dataset.runs = JSON.stringify(pins);
      fill(this.heads, pins.map((name) => h("div", {},
        h("div", { class: "head" }, h("h4", { title: name }, name), h("span", { class: "verdict" })), h("div", { class: "bar" }))));
    }
    pins.forEach((name, i) => { this.heads.children[i].querySelector("h4").textContent = this.runs.called(name); });
    pins.forEach((name, i) => {
      const run = this.runs.find(name), { answer, task } = run;
      const [head, bar] = this.heads.children[i].children;
      if (!answer?.chances) return;
      const { classes } = this.runs.tasks[task];
      drawBar(bar, answer, classes);
      const right = answer.truth < 0 ? null : answer.says === answer.truth;
      const kind = marked(run, right)[1];
      head.lastChild.textContent = `${{ right: "✓ ", wrong: "✗ " }[kind] ?? ""}${classes[answer.says]}`;
      head.lastChild.className = `verdict ${kind}`;
    });
  }

  /** Request the explanations and show them, once the previous ones have come. */
  show() {
    return this.newest.run(() => this.#show());
  }

  async #show() {
    this.answer();
    if (this.playing) return;
    const pins = this.#pinned();
    if (!pins.length) {
      fill(this.body, h("p", { class: "hint" }, "Pin a run (☆), or two or three to compare them."));
      return;
    }
    if (this.tab === "fool") {
      this.#showFool(pins);
      return;
    }
    const [tab, face, turn] = [this.tab, this.state.written(), ++this.turn];
    this.body.classList.add("waiting");
    if (!this.body.childElementCount) fill(this.body, h("p", { class: "hint" }, tab === "nearest" ? "Searching the training faces …" : "Computing …"));
    try {
      const asked = (question, i, more = {}) => ask(question, { face, run: pins[i], ...more }, `${question === "causes" ? "causes" : "why"}${i}`).catch((error) => ({ error }));
      const [told, causes] = await Promise.all([
        Promise.all(pins.map((run, i) => asked(tab, i, tab === "over_training" ? {} : this.state.when()))),
        Promise.all(tab === "nearest" ? pins.map((run, i) => asked("causes", i)) : []),
      ]);
      if (turn !== this.turn || tab !== this.tab || [...told, ...causes].some(({ error }) => error instanceof Overtaken)) return;
      const columns = pins.map((run, i) => {
        const found = this.runs.find(run), { classes, relevant } = this.runs.task(found);
        return { run, name: this.runs.called(run), told: told[i], causes: causes[i], classes, relevant, found, progress: progress(found) };
      });
      this.drawn = { tab, columns };
      this.#draw(tab, columns);
    } catch (error) {
      fill(this.body, h("p", { class: "failed" }, error.message));
    } finally {
      if (turn === this.turn) this.body.classList.remove("waiting");
    }
  }

  #draw(tab, columns) {
    const good = columns.filter((column) => !column.told.error);
    const bad = columns.filter((column) => column.told.error)
      .map((column) => h("p", { class: "failed" }, `${column.run}: ${column.told.error.message}`));
    if (!good.length) return fill(this.body, bad);
    const place = this.place ??= h("div", {});
    if (this.body.firstChild !== place) delete place.dataset.open;
    place.className = `why-${tab} of-${good.length}`;
    if (tab === "strips") showStrips(place, good, this.state);
    if (tab === "over_training") this.#overTraining(place, good);
    if (tab === "parts") fill(place, h("div", { class: "columns" }, good.map((column) => this.#parts(column))));
    if (tab === "nearest") fill(place, h("div", { class: "columns" }, good.map((column) => this.#nearest(column))));
    if (this.body.firstChild !== place || this.body.childElementCount > 1) fill(this.body, place, bad);
    else this.body.append(...bad);
    return place;
  }

  #overTraining(place, columns) {
    const held = place.contains(document.activeElement) && document.activeElement.dataset.chart;
    showOverTraining(place, columns, this.state, this.trainingFaces);
    if (held) [...place.querySelectorAll("[data-chart]")].find((each) => each.dataset.chart === held)?.focus();
  }

  #parts({ run, told, classes }) {
    if (!told.sets.length) {
      return h("div", {}, h("p", { class: "hint" }, "The label of its task does not depend on the parts."));
    }
    const yes = classes[told.watched];
    const called = told.sets.filter((set) => set.says === told.watched).length;
    const wrong = told.sets.filter((set) => set.truth >= 0 && set.says !== set.truth).length;
    const { subject } = this.state.face, other = subject !== this.state.start.subject;
    const words = other && valueWords(this.state.attributes.get("subject"), subject);
    return h("div", {}, whose(this.runs.called(run)),
      other ? h("p", { class: "hint" }, `Shown for a head instead: a ${words} has no such parts.`) : null,
      h("p", {}, `Predicts “${yes}” for ${called} of the 16 subsets of the parts; ${wrong} ${wrong === 1 ? "prediction is" : "predictions are"} wrong. The bars and figures are the probability of “${yes}”. True label “${yes}”: all four parts only.`),
      h("ul", { class: "sets" }, told.sets.map((set) => {
        const name = set.parts.length ? set.parts.join(" + ") : "nothing";
        const right = set.truth < 0 || set.says === set.truth;
        return h("li", { class: right ? "" : "wrong", title: `${name}: ${yes} ${percent(set.chance)}` },
          h("img", { src: set.picture, alt: `A head with ${name}`, width: 64, height: 64 }),
          h("span", { class: "mini" }, h("span", { style: `width:${100 * set.chance}%` })),
          h("span", { class: "set-name" }, name),
          h("span", { class: "set-said" }, `${right ? "✓" : "✗"} ${percent(set.chance)}`));
      })));
  }

  #nearest({ run, told, causes, classes }) {
    const few = told.searched < told.studied ? `The first ${told.searched.toLocaleString("en")} of its ${told.studied.toLocaleString("en")} training faces were searched.` : `Searched: all its ${told.studied.toLocaleString("en")} training faces.`;
    const titles = { features: "By the features (the input of the last layer)", pixels: "By the pixels" };
    return h("div", {}, whose(this.runs.called(run)),
      told.same ? h("p", { class: "wrong" }, "This very picture is in its training set.") : null,
      told.ways.map((way) => h("div", {}, h("h5", {}, titles[way.way]),
        h("ul", { class: "near" }, way.faces.map((each) => {
          const learned = each.says === each.label ? "" : ` (prediction: ${classes[each.says]})`;
          return this.#trainingFace(each, classes, `${learned}; distance ${each.distance.toFixed(3)}`);
        })))),
      h("p", { class: "hint" }, `${few} Click on one to load it.`),
      this.#causes(causes, classes));
  }

  /** A training face with its label, which can be loaded; `more` is said of it, `below` is shown. */
  #trainingFace(each, classes, more, below = null) {
    const mislabeled = each.label !== each.truth;
    const words = `${classes[each.label]}${mislabeled ? ` (wrong: the true label is ${classes[each.truth]})` : ""}`;
    return h("li", { class: mislabeled ? "mislabeled" : "" },
      button(h("img", { src: each.picture, alt: `Training face ${each.number}`, width: 88, height: 88 }),
        () => this.state.change(each.face), { title: `Training face ${each.number}, label ${words}${more}. Click to load it.` }),
      h("span", { class: "near-label" }, classes[each.label]),
      mislabeled ? h("span", { class: "near-truth" }, `true: ${classes[each.truth]}`) : null,
      below);
  }

  /** The training faces that a pool of networks shows to be causes of the answer, if there is such a pool. */
  #causes(causes, classes) {
    if (causes.error) return h("p", { class: "failed" }, causes.error.message);
    if (!causes.pool) return null;
    if (causes.trouble) return h("div", { class: "causes" }, h("h5", {}, "Measured causes"), h("p", { class: "hint" }, causes.trouble));
    const says = `“${classes[causes.says]}”`, points = (share) => Math.round(100 * Math.abs(share));
    const against = causes.faces.some((each) => each.effect < 0);
    return h("div", { class: "causes" }, h("h5", {}, `Measured causes (a pool of ${causes.networks} networks)`),
      causes.faces.length ? h("ul", { class: "near" }, causes.faces.map((each) => {
        const more = each.effect > 0, much = `${points(each.effect)} points (±${points(each.error)})`;
        const words = `; networks trained on it give ${says} ${much} ${more ? "more" : "less"} than the others`;
        return this.#trainingFace(each, classes, words, h("span", { class: "effect" }, `${more ? "+" : "−"}${much}`));
      })) : h("p", {}, `No single training face changes the answer ${says} by more than noise (±${points(causes.noise)} points).`),
      h("p", { class: "hint" },
        `${causes.networks} networks were trained, each on another random ${percent(causes.share)} of the training faces. `,
        causes.faces.length ? `Those trained on the face shown give the answer ${says} so many percentage points more probability (−: less) than the others, on average; ± is the standard error. Effects within noise (±${points(causes.noise)} points) are not shown. ` : "More networks would tell smaller effects from noise. ",
        against ? "Without a face with a minus, the answer would be more certain." : null));
  }

  #showFool(pins) {
    fill(this.body, h("p", { class: "hint" }, "Searches for changes of nuisances after which the run misclassifies the face, undoes those that are not needed, and plays the rest. Relevant attributes do not change, so the true label stays. Each search begins with the original face, not with the one that another search left."),
      h("div", { class: "columns" }, pins.map((run) => {
        const place = h("div", { class: "fool", "aria-live": "polite" });
        const go = button(`Fool “${run}”`, () => this.#fool(run, place, go), { class: "primary" });
        go.disabled = this.searching.has(run);
        if (go.disabled) fill(place, h("p", {}, "Searching …"));
        this.places.set(run, place);
        return h("div", {}, go, place);
      })));
    this.#foolTexts();
  }

  /** The face that searches begin with: that of the search that left the present one, or this. */
  #original() {
    const now = this.state.written();
    return [...this.fooled.values()].findLast(({ about }) => about.has(now))?.face ?? this.state.face;
  }

  /** Show the results of searches that began with the same original face. */
  #foolTexts() {
    const original = this.state.written(this.#original());
    for (const [run, place] of this.places) {
      const known = this.fooled.get(this.#then(run));
      if (!place.isConnected || this.searching.has(run)) continue;
      if (!known || this.state.written(known.face) !== original) fill(place);
      else if (place.dataset.of !== original || !place.childElementCount) this.#foolWords(place, run, known);
      place.dataset.of = original;
    }
  }

  #then(run) {
    return JSON.stringify([run, this.state.step]);
  }

  async #fool(run, place, go) {
    this.searching.add(run);
    go.disabled = true;
    fill(place, h("p", {}, "Searching …"));
    const face = { ...this.#original() }, then = this.#then(run);
    this.state.change(face);
    try {
      const told = await ask("fool", { face: this.state.written(), run, ...this.state.when() });
      const about = [face, ...(told.frames ?? [])].map((each) => this.state.written(each));
      const known = { face, told, about: new Set(about) };
      this.fooled.delete(then); // so that it is the last one
      this.fooled.set(then, known);
      this.searching.delete(run);
      if (!place.isConnected && this.tab === "fool") await this.show(); // the view was redrawn meanwhile
      const shown = this.places.get(run);
      fill(shown);
      this.#foolTexts();
      if (!known.about.has(this.state.written())) fill(shown, h("p", { class: "hint" }, "The face has been changed meanwhile: search again."));
      else if (told.outcome === "fooled") await this.#play(known);
    } catch (error) {
      fill(this.places.get(run), h("p", { class: "failed" }, error.message));
    } finally {
      this.searching.delete(run);
      go.disabled = false;
    }
  }

  #foolWords(place, run, { face, told }) {
    const { classes } = this.runs.task(this.runs.find(run));
    if (told.outcome !== "fooled") {
      const words = {
        "no truth": "The task has no label for this picture, so that no prediction is wrong.",
        "wrong already": `It is wrong already: it predicts ${classes[told.says]}; the true label is ${classes[told.truth]}.`,
        withstood: `Not fooled: it is right about all ${told.tried?.toLocaleString("en")} variants of this face that were tried.`,
      }[told.outcome];
      fill(place, h("p", { class: told.outcome === "withstood" ? "right" : "" }, words));
      return;
    }
    const changes = told.changes.map((change) => {
      const row = this.state.attributes.get(change.name);
      return h("li", {}, h("b", {}, row.words), ` ${valueWords(row, change.old)} → ${valueWords(row, change.new)}`);
    });
    const many = changes.length === 1 ? "one change" : `${changes.length} changes`;
    fill(place,
      h("p", { class: "wrong" }, `Fooled by ${many}: it predicts ${classes[told.says]}; the true label is still ${classes[told.truth]}.`),
      h("ul", {}, changes),
      h("p", { class: "hint" }, `${told.tried.toLocaleString("en")} variants were tried.`),
      h("div", { class: "tools" },
        button("Play again", () => this.#play({ face, told }).catch((error) => this.say(error.message))),
        button("Back to the original face", () => this.state.change(face))));
  }

  /** Play the frames from the face to the misclassified one, until the user changes something. */
  async #play({ face, told }) {
    const turn = this.playing = {};
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let began = false;
    this.state.change(face);
    try {
      for (const frame of still ? told.frames.slice(-1) : told.frames) {
        const before = this.state.face;
        this.state.change(frame, { join: began }); // one step of undo for all frames
        const mine = this.state.face;
        began ||= mine !== before;
        await Promise.all([this.redraw(), new Promise((done) => setTimeout(done, FRAME))]);
        if (this.playing !== turn || this.state.face !== mine) break;
      }
    } finally {
      if (this.playing === turn) this.playing = null;
    }
    this.say(`Fooled by ${listed(told.changes.map((change) => this.state.attributes.get(change.name).words))}.`);
  }
}
