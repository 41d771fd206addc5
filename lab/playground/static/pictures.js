// The view of pictures from disk: those of a run that was trained on them, one by one and perturbed.
// They are not drawn, so there are no sliders.

import { Overtaken, ask } from "./api.js";
import { button, fill, h, percent } from "./dom.js";
import { afterSteps, plainWords, state as howFar } from "./runs.js";
import { Timeline } from "./timeline.js";

const PAGE = 40; // pictures in one part of the list, as the server sends them
const MOST_BARS = 12; // classes that have a bar; of more the likeliest have one
const MOST_OTHERS = 2; // runs that are compared with the chosen one
const MAP = 192; // side of the occlusion map, in pixels
const START = { run: "", split: "test", only: "all", label: null, start: 0, number: null, change: "none" };
const SPLITS = { test: "Test pictures", train: "Training pictures" };
const ONLY = { all: "all", mistakes: "mistakes, largest loss first", doubts: "likeliest wrong labels first", mislabeled: "labels made wrong" };
const CHANGES = {
  none: "as it is", gray: "without color", hue: "complementary colors", blur: "blurred", noise: "with noise",
  mirror: "mirrored", shift: "moved a little",
};

export class Pictures {
  /** `page` is the element that gets the class "picturing" while the view is open. */
  constructor(state, runs, { page, say }) {
    Object.assign(this, { state, runs, page, say, at: null, asked: "", told: null, shown: null, nearby: null, others: [] });
    this.run = h("select", { "aria-label": "Run whose pictures are shown", onchange: () => this.open(this.run.value) });
    this.splits = Object.entries(SPLITS).map(([split, words]) => button(words, () => this.#go({ split, number: null, start: 0, only: this.at.only === "doubts" ? "all" : this.at.only })));
    this.only = h("select", { "aria-label": "Which pictures", onchange: () => this.#go({ only: this.only.value, number: null, start: 0 }) });
    this.label = h("select", { "aria-label": "Of which class", onchange: () => this.#go({ label: this.label.value === "" ? null : Number(this.label.value), number: null, start: 0 }) });
    this.list = h("ul", { class: "album" });
    this.pager = h("div", { class: "tools pager" });
    this.note = h("div", {});
    this.filters = h("div", { hidden: true }, h("div", { class: "tools segments" }, this.splits), h("div", { class: "tools" }, this.only, this.label));
    this.about = h("p", { class: "hint" });
    this.compared = h("div", { class: "chips", role: "group", "aria-label": "Compare with" });
    this.gallery = h("section", { class: "gallery panel", "aria-label": "The run's pictures" },
      h("div", { class: "panel-head" }, h("h2", {}, "Pictures of a run"), button("← Drawn faces", () => this.close())),
      h("p", { class: "hint" }, "These pictures are not drawn: they can be perturbed, not redrawn. So there are no sliders."),
      h("div", { class: "tools" }, this.run), this.about, this.compared, this.filters, this.note, this.list, this.pager);
    this.top = h("div", {});
    this.map = h("section", { class: "occlusion", "aria-label": "Occlusion map" });
    this.near = h("section", { class: "nearest", "aria-label": "Nearest training pictures" });
    this.timeline = new Timeline(state, {
      id: "timeline-of-pictures", label: "Training step", redraw: () => this.drawing, say,
      shown: () => [this.at?.run, ...this.others].map((name) => runs.find(name)).filter((run) => run?.kind === "pictures"),
    });
    this.detail = h("section", { class: "detail panel", "aria-label": "The chosen picture", hidden: true }, this.timeline.element, this.top, h("div", { class: "below" }, this.map, this.near));
    this.element = h("div", { class: "pictures", hidden: true }, this.gallery, this.detail);
    state.listen((what) => { if (what === "step" && this.at !== null) this.#set(this.at); });
  }

  /** Show the pictures of a run. */
  open(run) {
    const alike = this.#alike(run).map(({ name }) => name);
    this.others = this.others.filter((name) => alike.includes(name));
    this.#go({ ...START, run });
  }

  close() {
    this.#set(null);
    this.state.browse(null);
  }

  /** Show what the address says. */
  follow() {
    if (this.state.album === null) return this.at === null ? null : this.#set(null);
    if (this.at && this.state.album === written(this.at, this.others)) return null;
    const { at, others, odd } = read(this.state.album);
    if (odd.length) this.state.problem = `Parts of the link are not understood: ${odd.join(", ")}`;
    this.others = others;
    return this.#set(at);
  }

  /** The list of runs is there, or has changed. */
  refresh() {
    if (this.at === null) return;
    this.#runs();
    this.timeline.show();
    const changed = this.runs.find(this.at.run)?.changed;
    if (this.changed !== undefined && changed !== this.changed) {
      this.asked = JSON.stringify([this.at.run]); // what is shown stays until the answer comes
      this.#set(this.at);
    }
    this.changed = changed;
  }

  #go(change) {
    this.#set({ ...this.at, ...change });
    this.state.browse(written(this.at, this.others));
  }

  async #set(at) {
    if (at?.run !== this.at?.run) this.changed = this.runs.find(at?.run)?.changed;
    this.at = at;
    this.element.hidden = at === null;
    this.page.classList.toggle("picturing", at !== null);
    if (at === null) return;
    this.#runs();
    this.timeline.show();
    try {
      await this.#album();
      if (at !== this.at) return;
      if (at.number === null && this.told.pictures.length) {
        this.at = at = { ...at, number: this.told.pictures[0].number };
        this.state.browse(written(at, this.others));
      }
      this.#mark();
      this.drawing = this.#picture(at);
      await this.drawing;
    } catch (error) {
      if (at !== this.at || error instanceof Overtaken) return;
      this.asked = "";
      fill(this.note, h("p", { class: "failed", role: "alert" }, error.message));
      if (!this.told) this.detail.hidden = true;
    }
  }

  /** The runs that can be chosen, and those that can be compared with the chosen one. */
  #runs() {
    const all = this.runs.all.filter((run) => run.kind === "pictures");
    const names = all.map((run) => run.name);
    if (!names.includes(this.at.run)) names.unshift(this.at.run);
    fill(this.run, names.map((name) => h("option", { value: name, selected: name === this.at.run }, name)));
    const chosen = this.runs.find(this.at.run);
    this.about.textContent = chosen ? [...(chosen.conditions ?? []), howFar(chosen)].filter(Boolean).join(" · ") : "";
    const alike = this.#alike(this.at.run);
    fill(this.compared, alike.length ? h("span", { class: "hint" }, "Compare with") : null, alike.slice(0, 12).map((run) => h("label", { class: "chip", title: run.conditions.join(" · ") },
      h("input", { type: "checkbox", checked: this.others.includes(run.name), onchange: (event) => this.#compare(run.name, event.target.checked) }), run.name)));
  }

  /** The other runs on the same pictures of the same size. */
  #alike(name) {
    const chosen = this.runs.find(name);
    return this.runs.all.filter((run) => run.kind === "pictures" && run !== chosen && run.pictures === chosen?.pictures && run.size === chosen?.size);
  }

  #compare(name, on) {
    this.others = this.others.filter((each) => each !== name);
    if (on) this.others = [...this.others, name].slice(-MOST_OTHERS);
    this.shown = null;
    this.#go({});
  }

  /** Request the list and show it, if it is another than before. */
  async #album() {
    const { run, split, only, label, start } = this.at;
    const asked = JSON.stringify([run, split, only, label, start]);
    if (this.asked === asked) return;
    if (JSON.parse(this.asked || "[]")[0] !== run) {
      this.told = null;
      fill(this.list);
      fill(this.pager);
      this.detail.hidden = this.filters.hidden = true;
      fill(this.note, h("p", { class: "hint" }, "Reading the pictures, and asking the network about all of them …"));
    }
    const told = await ask("album", { run, split, only, start, ...(label === null ? {} : { class: label }) }, "album");
    this.asked = asked;
    this.told = told;
    this.shown = this.nearby = null;
    const { classes, totals, counts } = told;
    this.filters.hidden = false;
    this.splits.forEach((each, i) => {
      const name = Object.keys(SPLITS)[i];
      each.textContent = `${SPLITS[name]} (${totals[name].toLocaleString("en")})`;
      each.setAttribute("aria-pressed", name === split);
    });
    const offered = Object.keys(ONLY).filter((name) => name in counts || (name === "doubts" && split === "train"));
    fill(this.only, offered.map((name) => h("option", { value: name, selected: name === only }, `${ONLY[name]}${name in counts ? ` (${counts[name].toLocaleString("en")})` : ""}`)));
    fill(this.label, h("option", { value: "", selected: label === null }, "labels of all classes"),
      classes.map((name, i) => h("option", { value: i, selected: i === label }, `label ${name} (${told.of_class[i].toLocaleString("en")})`)));
    fill(this.list, told.pictures.map((each) => this.#thumbnail(each, classes)));
    const last = start + told.pictures.length;
    this.pager.hidden = !told.found;
    fill(this.pager,
      button("‹", () => this.#go({ start: Math.max(0, start - PAGE), number: null }), { disabled: start === 0, "aria-label": "Pictures before these" }),
      h("span", { class: "hint" }, told.found ? `${start + 1}–${last} of ${told.found.toLocaleString("en")}` : ""),
      button("›", () => this.#go({ start: start + PAGE, number: null }), { disabled: last >= told.found, "aria-label": "Pictures after these" }));
    fill(this.note,
      told.pictures.length ? null : h("p", {}, only === "mistakes" ? `No mistakes: it is right about ${label === null ? "all of these" : "all with this label"}.` : "There are none."),
      told.searched < totals[split] ? h("p", { class: "hint" }, `Looked at: the first ${told.searched.toLocaleString("en")} of ${totals[split].toLocaleString("en")} pictures.`) : null);
    if (!told.pictures.length && this.at.number === null) this.detail.hidden = true;
  }

  #thumbnail(each, classes) {
    const right = each.says === each.label;
    const words = `${each.name}: label ${classes[each.label]}${each.label === each.truth ? "" : ` (made wrong: it is ${classes[each.truth]})`}, prediction ${classes[each.says]} (${percent(each.chance)})`;
    const known = each.label === each.truth;
    const said = right ? `✓ ${classes[each.says]}` : `✗ ${classes[each.says]}, not ${classes[each.label]}`;
    return h("li", { "data-number": each.number, class: known ? "" : "mislabeled" },
      button(h("img", { src: each.thumbnail, alt: words, width: 56, height: 56 }), () => this.#pick({ number: each.number }), { title: words }),
      h("span", { class: right ? "said right" : "said wrong" }, said), known ? null : h("span", { class: "near-truth" }, `true: ${classes[each.truth]}`));
  }

  #pick(change) {
    this.#go({ change: "none", ...change });
    if (matchMedia("(max-width: 720px)").matches) this.detail.scrollIntoView();
  }

  #mark() {
    for (const each of this.list.children) {
      const chosen = Number(each.dataset.number) === this.at.number;
      each.firstChild.setAttribute("aria-pressed", chosen);
    }
  }

  /** Request all about the chosen picture, and show each part as it comes. */
  async #picture(at) {
    if (at.number === null) return;
    const { run, split, number, change } = at;
    const asked = JSON.stringify([run, split, number, change, this.others, this.state.step]);
    if (this.shown === asked) return;
    this.shown = asked;
    const same = JSON.stringify([run, split, number, change]); // what the nearest pictures depend on
    const moved = this.nearby === same; // the step alone, or the runs to compare with
    if (!moved) for (const place of [this.top, this.map, this.near]) place.classList.add("waiting");
    if (this.detail.hidden) {
      fill(this.top, h("p", { class: "hint" }, "Perturbing the picture, and asking the network …"));
      fill(this.map);
      fill(this.near);
      this.detail.hidden = false;
    }
    const about = { run, split, number, ...(change === "none" ? {} : { change }) };
    const parts = [
      ["picture", { ...about, ...this.state.when(), other: this.others }, this.top, (told) => this.#top(told, at)],
      ["occluded", { ...about, ...this.state.when() }, this.map, (told) => this.#map(told)],
      ...moved ? [] : [["similar", about, this.near, (told) => { this.#near(told, at); this.nearby = same; }]],
    ];
    const answers = parts.map(([question, parameters]) => ask(question, parameters, question));
    for (const answer of answers) answer.catch(() => {}); // each is awaited below, in this order
    for (const [i, [question, , place, show]] of parts.entries()) {
      try {
        const told = await answers[i];
        if (this.shown !== asked) return;
        show(told);
      } catch (error) {
        if (this.shown !== asked) return;
        if (question === "picture") {
          this.shown = this.nearby = null;
          this.detail.hidden = true;
          throw error;
        }
        if (!(error instanceof Overtaken)) fill(place, h("p", { class: "failed" }, error.message));
      }
      place.classList.remove("waiting");
    }
  }

  /** The picture, the probabilities of its classes, and each perturbation. */
  #top(told, at) {
    const { classes, answers } = told;
    this.picture = told;
    const wrong = told.label !== told.truth;
    const nth = `${at.split === "train" ? "training" : "test"} picture ${(told.number + 1).toLocaleString("en")} of ${this.told.totals[at.split].toLocaleString("en")}`;
    const place = this.told.pictures.findIndex((each) => each.number === told.number);
    const beside = (step, words, sign) => {
      const other = place < 0 ? undefined : this.told.pictures[place + step];
      return button(sign, () => this.#pick({ number: other.number, change: at.change }), { disabled: !other, "aria-label": words, "data-held": sign });
    };
    const held = this.top.contains(document.activeElement) && document.activeElement.dataset.held;
    const good = answers.filter((answer) => answer.chances);
    fill(this.top,
      h("div", { class: "panel-head" }, h("h2", { class: "file" }, told.name), h("div", { class: "tools" }, beside(-1, "Picture before", "‹"), beside(1, "Next picture", "›"))),
      h("p", {}, `${nth[0].toUpperCase()}${nth.slice(1)} · label: `, h("b", {}, classes[told.label]), wrong ? h("span", { class: "wrong" }, ` (made wrong by --label-noise: it is ${classes[told.truth]})`) : null),
      h("div", { class: "shown" },
        h("figure", {}, h("img", { class: "large", src: told.picture, alt: `${told.name}, ${CHANGES[at.change]}`, width: 224, height: 224 }),
          h("figcaption", { class: "hint" }, `${at.change === "none" ? "" : `${CHANGES[at.change]} · `}as the network sees it: ${told.size} × ${told.size} pixels`)),
        answers.map((answer) => this.#answer(answer, told))),
      h("h3", { class: "section" }, "Perturbed"),
      h("p", { class: "hint" }, `The same picture, changed as a whole, and the answers then; those that differ from the answer to the picture as it is are red. Click one to choose it.${told.changes.some((each) => each.share !== null) ? ` The last line says how many of the test pictures get another answer from ${at.run}.` : ""}`),
      h("ul", { class: "changes" }, told.changes.map((each, i) => h("li", {},
        button(h("img", { src: each.picture, alt: CHANGES[each.name], width: 72, height: 72 }), () => this.#go({ change: each.name }), { "aria-pressed": String(each.name === at.change), "data-held": each.name, title: CHANGES[each.name] }),
        h("span", { class: "change-name" }, CHANGES[each.name]),
        good.map((answer) => h("span", { class: answer.says[i] === answer.says[0] ? "said" : "said wrong", title: answer.name }, `${good.length > 1 ? `${answer.name}: ` : ""}${classes[answer.says[i]]} (${percent(answer.sure[i])})`)),
        each.share === null ? null : h("span", { class: "hint" }, `changes ${percent(each.share)}`)))));
    if (held) [...this.top.querySelectorAll("[data-held]")].find((each) => each.dataset.held === held)?.focus();
    const first = good[0];
    if (first) this.say(`${told.name}, ${CHANGES[at.change]}: ${plainWords({ chances: first.chances, says: first.chances.indexOf(Math.max(...first.chances)) }, classes)}`);
  }

  #answer(answer, { classes, label }) {
    if (!answer.chances) return h("div", { class: "chances" }, h("h4", { title: answer.name }, answer.name), h("p", { class: "failed" }, answer.trouble));
    const says = answer.chances.indexOf(Math.max(...answer.chances));
    let rows = answer.chances.map((chance, i) => ({ chance, i }));
    if (rows.length > MOST_BARS) {
      const likely = [...rows].sort((a, b) => b.chance - a.chance).slice(0, MOST_BARS - 1).map(({ i }) => i);
      rows = rows.filter(({ i }) => likely.includes(i) || i === label);
    }
    const longest = Math.max(...rows.map(({ i }) => classes[i].length));
    return h("div", { class: "chances", style: `--name:${Math.min(16, longest + 1)}ch` },
      h("div", { class: "head" }, h("h4", { title: answer.name }, answer.name),
        h("span", { class: `verdict ${says === label ? "right" : "wrong"}` }, `${says === label ? "✓" : "✗"} ${classes[says]}`)),
      rows.map(({ chance, i }) => h("div", { class: i === label ? "class-row label" : "class-row", title: i === label ? "its label" : null },
        h("span", { class: "class-name" }, classes[i]),
        h("span", { class: "mini" }, h("span", { style: `width:${100 * chance}%` })),
        h("span", { class: "class-share" }, percent(chance)))),
      rows.length < classes.length ? h("p", { class: "hint" }, `and ${(classes.length - rows.length).toLocaleString("en")} less likely classes`) : null,
      h("p", { class: "hint" }, `${known(answer)}${this.#when(answer)}`));
  }

  /** Whose answer it is, where the timeline is not at its end. */
  #when({ name, step }) {
    if (this.state.step === null) return "";
    return this.runs.find(name)?.snapshots?.length ? ` Here: ${afterSteps(step, this.state.step)}.` : " Here: trained; it kept no snapshots.";
  }

  /** The picture with each patch shaded by how much the probability falls when it is occluded. */
  #map({ says, drops, then }) {
    const { classes, picture } = this.picture, side = MAP / drops.length;
    const words = (row, column) => `row ${row + 1}, column ${column + 1} covered: the probability of ${classes[says]} ${drops[row][column] >= 0 ? "falls" : "rises"} by ${Math.round(100 * Math.abs(drops[row][column]))} points${then[row][column] === says ? "" : `; the answer is ${classes[then[row][column]]}`}`;
    const turned = then.flat().filter((each) => each !== says).length;
    fill(this.map, h("h3", { class: "section" }, "What if a part is covered?"),
      h("div", { class: "map" }, h("img", { src: picture, alt: "", width: MAP, height: MAP }),
        h("svg", { viewBox: `0 0 ${MAP} ${MAP}`, role: "img", "aria-label": `Occlusion map: covering ${turned} of ${then.flat().length} patches changes the answer` },
          drops.flatMap((line, row) => line.map((drop, column) => h("rect", {
            class: then[row][column] === says ? "patch" : "patch turned", x: column * side + 1, y: row * side + 1, width: side - 2, height: side - 2, style: `fill-opacity:${Math.max(0, Math.min(1, drop)) * 0.75}`,
          }, h("title", {}, words(row, column))))))),
      h("p", { class: "hint" }, `The redder, the more the probability of “${classes[says]}” falls when that patch gets the picture's mean color. ${turned ? `Outlined: the answer changes (${turned} of ${then.flat().length}).` : "No single patch changes the answer."}`));
  }

  #near(told, at) {
    const { classes } = this.picture;
    const titles = { features: "By the features (the input of the last layer)", pixels: "By the pixels" };
    const few = told.searched < told.studied ? `The first ${told.searched.toLocaleString("en")} of ${told.studied.toLocaleString("en")} training pictures were searched.` : `Searched: all ${told.studied.toLocaleString("en")} training pictures.`;
    fill(this.near, h("h3", { class: "section" }, `Nearest training pictures of ${at.run}`),
      this.timeline.element.hidden ? null : h("p", { class: "hint" }, "By the trained network, at every step of the timeline."),
      told.same && at.split === "test" ? h("p", { class: "wrong" }, "This very picture is in its training set.") : null,
      told.ways.map((way) => h("div", {}, h("h5", {}, titles[way.way]),
        h("ul", { class: "near small" }, way.pictures.map((each) => {
          const wrong = each.label !== each.truth;
          const learned = each.says === each.label ? "" : `, prediction ${classes[each.says]}`;
          return h("li", { class: wrong ? "mislabeled" : "" },
            button(h("img", { src: each.thumbnail, alt: `Training picture ${each.name}`, width: 64, height: 64 }),
              () => this.#pick({ split: "train", only: "all", label: null, number: each.number, start: PAGE * Math.floor(each.number / PAGE) }),
              { title: `${each.name}: label ${classes[each.label]}${wrong ? ` (made wrong: it is ${classes[each.truth]})` : ""}${learned}; distance ${each.distance.toFixed(3)}. Click to choose it.` }),
            h("span", { class: "near-label" }, classes[each.label]),
            wrong ? h("span", { class: "near-truth" }, `true: ${classes[each.truth]}`) : null);
        })))),
      h("p", { class: "hint" }, few));
  }
}

/** Whether a network was trained on the picture, or on a copy of it. */
function known({ studied, copy, exact, compared }) {
  if (studied) return "It was trained on this picture.";
  if (exact) return `It was trained on a copy of this picture: ${copy}.`;
  if (copy) return `It was trained on a picture that is nearly the same: ${copy}.`;
  return compared ? "It has never seen this picture." : "It was not trained on this file; not all training pictures were compared with it.";
}

/** The view as text for the address: what differs from the start, as `run:digits,split:train`. */
function written(at, others) {
  const entries = Object.entries(at).filter(([name, value]) => value !== START[name] && value !== null);
  const told = entries.map(([name, value]) => `${name}:${encodeURIComponent(value)}`);
  return [...told, ...others.map((name) => `other:${encodeURIComponent(name)}`)].join(",");
}

/** What the text says, and the entries that make no sense. */
function read(text) {
  const at = { ...START }, others = [], odd = [];
  const whole = (value) => /^\d{1,5}$/.test(value);
  const allowed = {
    run: (value) => value !== "", split: (value) => value in SPLITS, only: (value) => value in ONLY,
    change: (value) => value in CHANGES, label: whole, start: whole, number: whole,
  };
  for (const entry of text.split(",").filter(Boolean)) {
    const name = entry.split(":", 1)[0];
    let value = entry.slice(name.length + 1);
    try {
      value = decodeURIComponent(value);
    } catch {
      // as it is
    }
    if (name === "other" && value && others.length < MOST_OTHERS) others.push(value);
    else if (Object.hasOwn(allowed, name) && allowed[name](value)) at[name] = allowed[name] === whole ? Number(value) : value;
    else odd.push(entry.slice(0, 60));
  }
  return { at, others, odd };
}
