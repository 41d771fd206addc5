// The runs: each with its prediction for the face as a bar and in words.

import { allow } from "./api.js";
import { reasonWords } from "./controls.js";
import { button, fill, h, percent } from "./dom.js";

const PAGE = 12; // runs that are shown at first, and more with each click
const MOST_SORTED = 240; // runs whose predictions are requested to sort by them

const ALL = "Predictions of all runs";

const SORTS = {
  name: ["by name", (a, b) => compare(a.name, b.name)],
  last: ["by probability", (a, b) => chanceOf(b) - chanceOf(a)],
  wrong: ["wrong ones first", (a, b) => wrongness(b) - wrongness(a)],
  fewest: ["fewest training faces first", (a, b) => (a.faces ?? Infinity) - (b.faces ?? Infinity)],
};

export class Runs {
  /** `table.tasks` has the names of the classes; `onchange` is called when other runs are shown,
   * `browse(name)` to show the pictures of a run on some from disk. */
  constructor(table, state, { onchange, browse }) {
    this.tasks = table.tasks;
    this.state = state;
    this.onchange = onchange;
    this.browse = browse;
    this.all = [];
    this.cards = new Map(); // name -> card
    this.shown = PAGE;
    this.loaded = false;
    this.search = h("input", {
      type: "search", placeholder: "Find a run", "aria-label": "Find a run", oninput: () => this.#arrange(),
    });
    this.sort = h("select", { "aria-label": "Sort the runs", onchange: () => this.#arrange() },
      Object.entries(SORTS).map(([value, [words]]) => h("option", { value }, words)));
    this.list = h("ul", { class: "runs" });
    this.more = button("Show more", () => { this.shown += PAGE; this.#arrange(); }, { hidden: true });
    this.note = h("div", { class: "note" });
    this.legend = h("p", { class: "hint" });
    this.letters = new Map(); // run -> letter that it had in a riddle that is solved
    this.title = h("h2", {}, ALL);
    this.element = h("section", { class: "panel all-runs", "aria-label": ALL },
      h("div", { class: "panel-head" }, this.title, h("div", { class: "tools" }, this.search, this.sort)),
      this.note, this.legend, this.list, this.more);
    state.listen((what) => what === "pins" && this.#arrange());
  }

  /** Take over the server's list. */
  set({ runs, listed, logdir, trouble, more, searched, stranger }) {
    this.loaded = true;
    this.stranger = stranger;
    this.logdir = logdir;
    this.unlisted = this.#unlisted(listed, more, searched, logdir);
    const old = new Map(this.all.map((run) => [run.name, run]));
    this.all = runs.map((run) => ({
      ...run,
      answer: old.get(run.name)?.answer,
      faces: run.conditions ? Number(run.conditions[0].replace(/\D/g, "")) : undefined,
    }));
    for (const name of [...this.cards.keys()]) {
      if (!runs.some((run) => run.name === name)) this.cards.delete(name);
    }
    this.nothing = this.#nothing(logdir, trouble);
    this.#arrange();
  }

  /** Take over the entry of one run, listed or not. */
  update(run) {
    const old = this.find(run.name);
    const entry = { ...run, answer: old?.answer, faces: run.conditions ? Number(run.conditions[0].replace(/\D/g, "")) : undefined };
    this.all = old ? this.all.map((each) => (each === old ? entry : each)) : [...this.all, entry];
    this.#arrange({ ask: false });
  }

  /** Show these runs alone, under other names (run -> name) and without what they are; null: all as
   * they are. */
  disguise(aliases) {
    this.aliases = aliases;
    const title = aliases ? `Predictions of ${[...aliases.values()].join(", ")}` : ALL;
    this.title.textContent = title;
    this.element.setAttribute("aria-label", title);
    this.#arrange();
  }

  /** What a run is called on the page: its alias, or its name and the letter that it had. */
  called(name) {
    const letter = this.letters.get(name);
    return this.aliases?.get(name) ?? (letter ? `${letter} = ${name}` : name);
  }

  /** Note the letters that runs had in a riddle that is solved: run -> letter. */
  letter(letters) {
    this.letters = letters;
    this.#arrange({ ask: false });
  }

  find(name) {
    return this.all.find((run) => run.name === name);
  }

  task(run) {
    return this.tasks[run?.task];
  }

  /** The runs whose predictions are needed: those that are shown; all, if they are sorted by their
   * predictions. */
  asked() {
    const said = !this.aliases && this.sort.value === "last" || !this.aliases && this.sort.value === "wrong";
    const runs = said ? [...new Set([...this.visible(), ...this.#fitting()])].slice(0, MOST_SORTED) : this.visible();
    return runs.filter((run) => run.kind === "ready").map((run) => run.name);
  }

  /** The face has changed, and the predictions of these runs are on their way: forget those of the
   * others, which are for an older face. */
  expect(names) {
    const asked = new Set(names);
    for (const run of this.all) if (!asked.has(run.name)) run.answer = undefined;
  }

  #fitting() {
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (run) => !wanted || run.name.toLowerCase().includes(wanted)
      || (run.conditions ?? []).some((each) => each.toLowerCase().includes(wanted));
    return this.all.filter((run) => !this.state.isPinned(run.name) && run.kind !== "gone" && fits(run));
  }

  visible() {
    if (this.aliases) {
      this.hiddenCount = 0;
      return [...this.aliases.keys()].map((name) => this.find(name)).filter(Boolean);
    }
    const order = SORTS[this.sort.value][1];
    const pinned = this.all.filter((run) => this.state.isPinned(run.name));
    const rest = this.#fitting()
      .sort((a, b) => (a.kind !== "ready") - (b.kind !== "ready") || order(a, b));
    this.hiddenCount = Math.max(0, rest.length - this.shown);
    return [...pinned, ...rest.slice(0, this.shown)];
  }

  /** Show new predictions. */
  answer(answers) {
    for (const answer of answers) {
      const run = this.find(answer.name);
      if (!run) continue;
      const before = run.answer;
      run.answer = answer;
      this.#card(run).show(run, before);
    }
    if (this.sort.value !== "name") this.#arrange({ ask: false });
  }

  #arrange({ ask = true } = {}) {
    const runs = this.visible();
    const wanted = runs.map((run) => this.#card(run).element);
    if (wanted.length !== this.list.children.length || wanted.some((each, i) => each !== this.list.children[i])) {
      const focused = document.activeElement;
      this.list.replaceChildren(...wanted);
      if (focused && this.list.contains(focused)) focused.focus();
    }
    for (const run of runs) this.#card(run).show(run, run.answer);
    fill(this.legend, barLegend(runs.map((run) => this.task(run)?.classes)));
    this.more.hidden = !this.hiddenCount;
    this.more.textContent = `Show ${Math.min(PAGE, this.hiddenCount)} of ${this.hiddenCount} more`;
    const some = this.all.some((run) => run.kind !== "gone");
    const none = some && !runs.length && h("p", {}, "No run matches.");
    if (!this.loaded) fill(this.note, h("p", { class: "hint" }, "Looking for runs …"));
    else fill(this.note, this.loaded && !some ? this.nothing : none, this.unlisted);
    if (ask) this.onchange();
  }

  /** A note if the list is not complete. */
  #unlisted(count, more, searched, logdir) {
    if (!more && searched !== false) return null;
    const least = searched === false ? "at least " : "";
    const words = more ? `These are the first ${count.toLocaleString("en")} runs; ${least}${more.toLocaleString("en")} more are in ${logdir}.`
      : `Not all folders of ${logdir} were searched for runs.`;
    return h("p", { class: "unlisted" }, `${words} Start the board on a subfolder to see the others: --logdir ${logdir}/…`);
  }

  #nothing(logdir, trouble) {
    return [
      h("p", {}, trouble || `There are no runs in ${logdir} yet.`),
      h("p", {}, "Faces can be drawn without a run. Train a network, and it appears here:"),
      h("pre", {}, "python3 scripts/train.py"),
    ];
  }

  #card(run) {
    if (!this.cards.has(run.name)) {
      this.cards.set(run.name, new Card(this, run));
    }
    return this.cards.get(run.name);
  }
}

const RULE = "A shortcut: right about 30 % at most of unseen faces where a cue contradicts the label, or one nuisance alone changes at least half of its answers. A memorizer: answers all its training faces as labeled, and is right about 70 % of unseen ones at most. Useful: right about at least 95 % of unseen faces, with a cue also where it contradicts the label, and no nuisance alone changes more than 10 % of its answers.";

/** What the figures show of a trained run, as one sentence; null: nothing yet. */
export function inShort(run) {
  const { kind, words } = run?.short ?? {};
  return words ? h("p", { class: `short ${kind === "useful" ? "right" : kind ? "wrong" : ""}`, title: RULE }, words) : null;
}

/** How far the network is that answered: "untrained", "early" before the end of its training, or "". */
export function progress(run) {
  const step = run.answer?.step;
  if (step === 0 && !(run.status === "finished" && run.step === 0)) return "untrained";
  return run.status !== "finished" || step < run.step ? "early" : "";
}

/** Whether an answer is right, as a mark and its class; of an untrained network that says nothing. */
export function marked(run, right) {
  if (progress(run) === "untrained") return ["not trained yet", ""];
  return right === null ? ["no label", ""] : right ? ["✓ right", "right"] : ["✗ wrong", "wrong"];
}

class Card {
  constructor(runs, run) {
    this.runs = runs;
    this.pin = button("", () => runs.state.pin(run.name), { class: "pin" });
    this.name = h("h3", { title: run.name }, run.name);
    this.verdict = h("span", { class: "verdict" });
    this.bar = h("div", { class: "bar" });
    this.words = h("p", { class: "words" });
    this.about = h("p", { class: "about" });
    this.short = h("div", {});
    this.more = h("div", {});
    this.element = h("li", { class: "run" },
      h("div", { class: "run-head" }, this.pin, this.name, this.verdict), this.short, this.bar, this.words, this.more, this.about);
  }

  show(run, before) {
    const alias = this.runs.aliases?.get(run.name);
    this.name.textContent = this.runs.called(run.name);
    this.name.title = alias ? `Network ${alias}` : run.name;
    const pinned = this.runs.state.isPinned(run.name) && !alias;
    this.element.classList.toggle("pinned", pinned);
    this.pin.textContent = pinned ? "★" : "☆";
    this.pin.setAttribute("aria-pressed", pinned);
    this.pin.setAttribute("aria-label", `Pin the run ${run.name}`);
    this.pin.title = pinned ? "Unpin" : "Pin: show the effect of each attribute below";
    this.about.textContent = this.about.title = [...(run.conditions ?? []), this.runs.state.step === null ? state(run) : ""].filter(Boolean).join(" · ");
    fill(this.short, pinned && this.runs.state.step === null ? inShort(run) : null);
    const trouble = run.trouble || run.answer?.trouble;
    const stored = run.kind === "pictures" && !trouble;
    const blocked = (run.kind !== "ready" && !stored) || trouble;
    this.element.classList.toggle("blocked", Boolean(blocked));
    this.pin.hidden = Boolean(alias) || (Boolean(blocked || stored) && !pinned);
    this.about.hidden = Boolean(alias);
    this.bar.hidden = Boolean(blocked) || !run.answer;
    if (blocked) this.#explain(run, trouble);
    else if (stored) this.#stored(run);
    else if (run.answer) this.#answer(run, before);
    else {
      this.words.textContent = "loading …";
      this.verdict.textContent = "";
      this.element.classList.remove("changed");
      fill(this.more);
    }
  }

  /** A run on pictures from disk has a view of its own. */
  #stored(run) {
    this.verdict.textContent = "";
    this.words.textContent = "Trained on pictures from disk: they can be perturbed, not redrawn.";
    if (this.more.querySelector(".browse")) return;
    fill(this.more, button("Look at its pictures", () => this.runs.browse(run.name), { class: "browse", "aria-label": `Look at the pictures of ${run.name}` }));
  }

  #explain(run, trouble) {
    this.verdict.textContent = "";
    this.verdict.className = "verdict";
    const kind = run.kind === "ready" ? run.answer?.kind : run.kind;
    if (kind !== "consent") {
      const intro = { waiting: "Not yet: ", foreign: "Not usable here: ", gone: "Not found: " }[kind] ?? "Cannot be opened: ";
      this.words.textContent = intro + (trouble ?? "");
      fill(this.more);
      return;
    }
    this.words.textContent = `I${(run.code ?? "its network is defined by a file named in its settings").slice(1)}. Opening it runs that code on the computer that runs TensorBoard: agree only if you trust it. The permission holds for all users of this board, until the board is stopped.`;
    if (this.runs.stranger) {
      fill(this.more, h("p", { class: "hint" }, `Permission cannot be given from this page: ${this.runs.stranger}.`));
      return;
    }
    if (!this.more.childElementCount) {
      const failed = h("span", { class: "failed" });
      const agree = async () => {
        try {
          await allow(run.name);
          fill(this.more);
          await this.runs.refresh();
        } catch (error) {
          failed.textContent = error.message;
        }
      };
      fill(this.more, button("Run that code and open it", agree), failed);
    }
  }

  #answer(run, before) {
    const { answer } = run;
    const classes = this.runs.task(run)?.classes ?? answer.chances.map((_, i) => `class ${i}`);
    fill(this.more);
    drawBar(this.bar, answer, classes);
    const right = answer.truth < 0 ? null : answer.says === answer.truth;
    const [mark, kind] = marked(run, right);
    this.verdict.textContent = mark;
    this.verdict.className = `verdict ${kind}`;
    const because = reasonWords(answer.why, this.runs.state.attributes);
    this.verdict.title = (right === null ? "The task has no label for this picture" : `True label: ${classes[answer.truth]}`) + (because && ` – ${because}`);
    const then = this.runs.aliases || this.runs.state.step === null ? "" : run.snapshots?.length ? ` · ${afterSteps(answer.step, this.runs.state.step)}` : " · trained: it kept no snapshots";
    this.words.textContent = plainWords(answer, classes) + then;
    const changed = before && before !== answer && before.says !== undefined && before.says !== answer.says;
    if (changed) {
      this.element.classList.remove("changed");
      void this.element.offsetWidth; // so that the animation begins anew
      this.element.classList.add("changed");
    }
  }
}

/** A bar of probabilities: that of the last of two classes, or those of all of more. */
export function drawBar(bar, answer, classes) {
  const two = classes.length === 2;
  const parts = two ? [answer.chances[1]] : answer.chances;
  while (bar.children.length > parts.length) bar.lastChild.remove();
  while (bar.children.length < parts.length) bar.append(h("span", { class: "part" }));
  parts.forEach((chance, i) => {
    const part = bar.children[i];
    part.style.width = `${100 * chance}%`;
    part.title = `${two ? classes[1] : classes[i]}: ${percent(chance)}`;
    part.classList.toggle("says", two ? answer.says === 1 : answer.says === i);
  });
  bar.classList.toggle("two", two);
  bar.setAttribute("role", "img");
  const words = two ? `${classes[1]}: ${percent(answer.chances[1])}` : classes.map((name, i) => `${name}: ${percent(answer.chances[i])}`).join(", ");
  bar.setAttribute("aria-label", words);
  bar.dataset.label = two ? words : "";
}

/** What the ends of the bars mean, where all of them are of the same two classes; else nothing. */
export function barLegend(all) {
  const [classes] = all = all.filter(Boolean);
  if (classes?.length !== 2 || all.some((each) => each[1] !== classes[1])) return null;
  return `Bars: ← ${classes[0]} | ${classes[1]} → (dashed line: 50\u00a0%)`;
}

/** "certain: person (99 %)" */
export function plainWords(answer, classes) {
  const chance = answer.chances[answer.says];
  const sure = chance >= 0.99 ? "certain" : chance >= 0.9 ? "sure" : chance >= 0.7 ? "fairly sure" : "unsure, more likely";
  return `${sure}: ${classes[answer.says]} (${percent(chance)})`;
}

/** Whose answer it is, where the page shows the networks after `wanted` steps. */
export function afterSteps(step, wanted) {
  const count = step.toLocaleString("en");
  return step === wanted ? `after ${count} step${step === 1 ? "" : "s"}` : `weights kept at step ${count}`;
}

/** How far a run is, or how often it is right, in words. */
export function state(run) {
  if (!["ready", "pictures", "consent"].includes(run.kind)) return "";
  const { "accuracy/train": train, "accuracy/test": test } = run.figures ?? {};
  const alike = run.cued ? " of the same kind" : "", noun = run.pictures ? "pictures" : "faces";
  if (run.status === "finished") return test === null ? "finished" : `${train === null ? "" : `answers ${percent(train)} of its training ${noun} as labeled, and `}gets ${percent(test)} of ${run.pictures ? "its test" : "unseen"} ${noun}${alike} right`;
  const saved = run.age === null ? "" : `, saved ${ago(run.age)} ago`;
  const what = { stopped: "stopped before its end", failed: "failed before its end" }[run.status] ?? "not finished yet";
  return `${what}${saved}`;
}

function ago(seconds) {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

const compare = (a, b) => a.localeCompare(b, undefined, { numeric: true });
const chanceOf = (run) => run.answer?.chances ? run.answer.chances.at(-1) : -1;
const wrongness = (run) => run.answer?.chances && run.answer.truth >= 0 ? 1 - run.answer.chances[run.answer.truth] : -1;
