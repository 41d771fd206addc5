// A face over the training of a run: the predictions for it and for its counterparts, how far each
// attribute alone moves them, and the training faces to choose from.

import { ask } from "./api.js";
import { valueWords } from "./controls.js";
import { button, fill, h, listed } from "./dom.js";
import { inShort } from "./runs.js";
import { whose } from "./strips.js";

const WIDTH = 420, HEIGHT = 150, LEFT = 48, RIGHT = 8, TOP = 8, BOTTOM = 22;
const COLORS = 7; // of the lines besides the face's: .line-0 to .line-6
const MOVED = 0.5; // an attribute that moves the probability this far decides the prediction
const SURE = 0.75; // a probability from which on an answer is no guess
const MOST = 3; // attributes of either sort in the second chart

/** Fill `place` with one column for each of `columns`: {run, classes, told}. */
export function showOverTraining(place, columns, state, faces) {
  fill(place, h("div", { class: "columns" }, columns.map((column) => h("div", {},
    whose(column.name), inShort(column.found), story(column, state), faces.of(column, { open: columns.length === 1 }),
    h("div", { class: "charts" }, predictions(column, state), movers(column, state))))));
  for (const { run, told } of columns) faces.mark(run, told.trained_on?.number);
}

/** The steps of the charts: logarithmic, since a network changes most at first. */
function axis(steps) {
  const most = Math.log2(1 + Math.max(1, steps.at(-1)));
  const x = (step) => LEFT + (WIDTH - LEFT - RIGHT) * Math.min(1, Math.log2(1 + step) / most);
  const y = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  return { x, y };
}

function frame(steps, { x, y }) {
  const ticks = [0, 1, 10, 100, 1000, 10_000, 100_000, 1e6].filter((step) => step < 0.3 * steps.at(-1));
  return [
    [0, 0.5, 1].map((share) => [
      h("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }),
      h("text", { class: "tick end", x: LEFT - 4, y: y(share) + 3.5 }, `${100 * share} %`)]),
    [...ticks, steps.at(-1)].map((step) =>
      h("text", { class: "tick middle", x: Math.min(x(step), WIDTH - RIGHT - 14), y: HEIGHT - 6 }, step.toLocaleString("en"))),
  ];
}

const line = (name, points) => h("polyline", { class: name, points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ") });

/** A chart of the steps; a click or a drag goes to that step, and so do the arrow keys. */
function chart(told, label, state, content, run) {
  const scale = axis(told.steps);
  const at = state.step === null ? told.steps.length - 1 : Math.max(0, told.steps.findLastIndex((step) => step <= state.step));
  const go = (i) => state.go(i >= told.steps.length - 1 ? null : told.steps[Math.max(0, i)]);
  const pick = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const wanted = ((event.clientX - box.left) / box.width) * WIDTH;
    let best = 0;
    told.steps.forEach((step, i) => { if (Math.abs(scale.x(step) - wanted) < Math.abs(scale.x(told.steps[best]) - wanted)) best = i; });
    go(best);
  };
  return h("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "over-chart", role: "slider", tabindex: 0, "aria-label": label,
    "data-chart": `${run} ${label}`,
    "aria-valuemin": 0, "aria-valuemax": told.steps.length - 1, "aria-valuenow": at, "aria-valuetext": `step ${told.steps[at]}`,
    onpointerdown: (event) => { event.currentTarget.setPointerCapture?.(event.pointerId); pick(event); },
    onpointermove: (event) => { if (event.buttons & 1) pick(event); },
    onkeydown: (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      go(at + by);
    },
  }, frame(told.steps, scale), content(scale, at),
  h("line", { class: "now", x1: scale.x(told.steps[at]), x2: scale.x(told.steps[at]), y1: TOP, y2: HEIGHT - BOTTOM }));
}

function key(name, words, title) {
  return h("li", { title }, h("span", { class: `key ${name}` }), words);
}

/** What is changed in a counterpart: "without eyes", "arrangement: upside down". */
function changedTo({ name, value }, state) {
  const row = state.attributes.get(name);
  return value === 0 ? `without ${row.words}` : `${row.words}: ${valueWords(row, value)}`;
}

/** The probability for the face and its counterparts, with the run's accuracies behind. */
function predictions({ run, told, classes }, state) {
  const yes = classes[told.watched];
  const counterparts = told.counterparts.slice(0, COLORS);
  const content = ({ x, y }, at) => [
    Object.entries(told.accuracies).map(([tag, points]) => points.length > 2 && line(`accuracy ${tag.split("/")[1]}`, points.map(([step, value]) => [x(step), y(value)]))),
    Object.values(told.accuracies).flat().map(([step, value]) => h("circle", { class: "measured", cx: x(step), cy: y(value), r: 1.8 })),
    counterparts.map((each, i) => line(`other line-${i}`, each.chances.map((chance, k) => [x(told.steps[told.asked[k]]), y(chance)]))),
    line("chance", told.chances.map((chance, i) => [x(told.steps[i]), y(chance)])),
    h("circle", { class: "dot", cx: x(told.steps[at]), cy: y(told.chances[at]), r: 4 }),
  ];
  const shares = Object.keys(told.accuracies).length ? "; gray, the share of all faces that it is right about" : "";
  return h("div", {}, h("h5", { title: `How likely “${yes}” is for this face, and with one thing changed${shares}. From left to right: steps of training` }, `How likely “${yes}” is at each step`),
    chart(told, `Probability of ${yes} over training`, state, content, run),
    h("ul", { class: "keys" }, key("chance", "this face"),
      counterparts.map((each, i) => key(`line-${i}`, changedTo(each, state), each.truth === told.truth || each.truth < 0 ? "The same true label" : `Then the true label is ${classes[each.truth]}`)),
      Object.keys(told.accuracies).length ? [key("accuracy train", "all training faces: as labeled"), key("accuracy test", "unseen faces: right")] : null));
}

/** The attributes that move the prediction most: relevant ones and nuisances. */
function chosen({ told }, state, relevant) {
  const most = (name) => Math.max(...told.moves[name]);
  return Object.keys(told.moves).filter((name) => relevant.has(name) && most(name) >= 0.05)
    .sort((a, b) => most(b) - most(a));
}

function movers(column, state) {
  const { run, told } = column;
  const relevant = new Set(column.relevant);
  const nuisances = new Set(Object.keys(told.moves).filter((name) => !relevant.has(name)));
  const names = [...chosen(column, state, relevant).slice(0, MOST), ...chosen(column, state, nuisances).slice(0, MOST)];
  if (!names.length) return null;
  const content = ({ x, y }) => names.map((name, i) =>
    line(`${relevant.has(name) ? "" : "dashed "}line-${i}`, told.moves[name].map((moved, k) => [x(told.steps[told.asked[k]]), y(moved)])));
  return h("div", {}, h("h5", { title: "How far a change of one attribute alone moves that probability; dashed: a nuisance" }, "How far one attribute alone moves it"),
    chart(told, "Effect of each attribute over training", state, content, run),
    h("ul", { class: "keys" }, names.map((name, i) => key(`${relevant.has(name) ? "" : "dashed "}line-${i}`,
      `${state.attributes.get(name).words}${relevant.has(name) ? "" : " (nuisance)"}`))));
}

/** Why a correctly labeled training face seems known by heart: the network is a memorizer, and where the
 * true label changes its answer mostly stays; "" if that is not so, or cannot be told. */
function unmoved({ told, found, classes }, state) {
  if (found.short?.kind !== "memorizer" || classes.length !== 2) return "";
  const twins = told.counterparts.filter((each) => each.relevant && each.truth !== told.truth);
  const stays = twins.filter((each) => (each.chances.at(-1) >= 0.5) === (told.says.at(-1) === told.watched));
  if (!twins.length || 2 * stays.length < twins.length) return "";
  return `Known by heart, as it seems: the network is no good at unseen faces, and its answer stays the same with changes, one at a time, after which the true label is another one: ${listed(stays.map((each) => changedTo(each, state)))}.`;
}

/** From which step on the network surely predicts `label`: its probability is `SURE` there, and the
 * label stays the predicted one to the end; null: not at the end, or never surely. */
function sureSince({ steps, says, probabilities }, label) {
  let from = null;
  says.forEach((each, i) => { from = each === label ? from ?? (probabilities[i][label] >= SURE ? steps[i] : null) : null; });
  return from;
}

/** From which step on each of `values` passes `test`, up to the end; null: not at the end. */
function since(steps, values, test) {
  let from = null;
  values.forEach((value, i) => { from = test(value) ? from ?? steps[i] : null; });
  return from;
}

const from = (step) => (step === 0 ? "from the start on" : `from step ${step.toLocaleString("en")} on`);

const always = (step) => `${from(step)}, at every kept step, and was at least ${100 * SURE} % sure when it began to`;

/** What happened to this face, in words. */
function story(column, state) {
  const { told, classes } = column;
  const { trained_on: known, says, steps, truth } = told;
  const lines = [];
  if (known) {
    const wrong = known.label !== known.truth;
    lines.push(h("li", {}, `This is training face ${known.number}, labeled “${classes[known.label]}”`
      + (wrong ? `, which is wrong: it is “${classes[known.truth]}”.` : ".")));
    const learned = sureSince(told, known.label);
    if (wrong) {
      const before = steps.filter((step, i) => told.probabilities[i][known.truth] >= SURE && (learned === null || step < learned));
      if (before.length) lines.push(h("li", { class: "right" }, `It gave its true label at ${before.length > 1 ? `steps ${before[0].toLocaleString("en")} to ${before.at(-1).toLocaleString("en")}` : `step ${before[0].toLocaleString("en")}`}.`));
      lines.push(learned === null ? h("li", {}, "It did not learn the wrong label, or was never sure of it.")
        : h("li", { class: "wrong" }, `It knows the wrong label by heart: it gives it ${always(learned)}.`));
      lines.push(h("li", { class: "hint" }, "✓ and ✗ beside its answer judge by the true label: an answer as labeled is “✗ wrong” there."));
    } else {
      lines.push(h("li", {}, learned === null ? "At no kept step that it stays with was it sure of this label." : `It answers as labeled ${always(learned)}.`));
      const kept = unmoved(column, state);
      if (kept) lines.push(h("li", { class: "wrong" }, kept));
    }
  } else if (truth >= 0) {
    const right = sureSince(told, truth), last = says.at(-1) === truth;
    lines.push(h("li", {}, "This is none of its training faces; click on one below to follow that one."));
    lines.push(!last ? h("li", { class: "wrong" }, "In the end it is wrong about this face.")
      : h("li", { class: "right" }, right === null ? "In the end it is right about this face, but not sure." : `It is right about this face ${always(right)}.`));
  }
  const relevant = new Set(column.relevant);
  const movers = Object.entries(told.moves).map(([name, moved]) => [name, since(told.asked.map((i) => steps[i]), moved, (each) => each >= MOVED)])
    .filter(([, step]) => step !== null).sort((a, b) => a[1] - b[1]);
  const words = (wanted) => {
    const found = movers.filter(([name]) => relevant.has(name) === wanted);
    const said = found.slice(0, MOST).map(([name, step]) => `${state.attributes.get(name).words} (${from(step)})`);
    return listed(found.length > MOST ? [...said, `${found.length - MOST} more`] : said);
  };
  if (words(true)) lines.push(h("li", { class: column.found.short?.kind === "useful" ? "right" : "" }, `What should matter moves its answer for this face: a change of one of these alone, by ${100 * MOVED} points or more: ${words(true)}.`));
  if (words(false)) lines.push(h("li", { class: "wrong" }, `What should not matter moves it by ${100 * MOVED} points or more: ${words(false)}.`));
  return h("ul", { class: "findings" }, lines);
}

/** The training faces of runs, to be loaded into the controls. */
export class TrainingFaces {
  constructor(state) {
    this.state = state;
    this.places = new Map(); // run -> its element, which stays when charts are drawn anew
    this.loaded = new Map(); // run -> number of its training face that is shown, if it is one
  }

  /** The list of a run's training faces, at first `open` or folded. */
  of({ run, classes }, { open }) {
    if (!this.places.has(run)) {
      const place = h("details", { open }, h("summary", {}, "Its training faces"));
      this.places.set(run, place);
      this.#more(run, classes, place, h("ul", { class: "near small" }), 0);
    }
    return this.places.get(run);
  }

  /** Mark the training face of a run that is shown. */
  mark(run, number) {
    this.loaded.set(run, number);
    for (const each of this.places.get(run)?.querySelectorAll("[data-number]") ?? []) {
      each.firstChild.setAttribute("aria-pressed", Number(each.dataset.number) === number);
    }
  }

  async #more(run, classes, place, list, start) {
    try {
      const told = await ask("training_faces", { run, start });
      list.append(...told.faces.map((each) => this.#face(each, classes)));
      this.mark(run, this.loaded.get(run));
      const shown = start + told.faces.length, left = told.count - shown;
      const wrong = told.mislabeled ? `, the ${told.mislabeled.toLocaleString("en")} with a wrong label first` : "";
      fill(place, h("summary", {}, `Its training faces${wrong}`), list,
        left > 0 && told.faces.length ? button(`Show more of ${told.count.toLocaleString("en")}`, () => this.#more(run, classes, place, list, shown)) : null);
    } catch (error) {
      this.places.delete(run);
      fill(place, h("p", { class: "failed" }, error.message));
    }
  }

  #face(each, classes) {
    const mislabeled = each.label !== each.truth;
    const words = `Training face ${each.number}, labeled ${classes[each.label]}${mislabeled ? ` (wrong: ${classes[each.truth]})` : ""}`;
    return h("li", { class: mislabeled ? "mislabeled" : "", "data-number": each.number },
      button([h("img", { src: each.picture, alt: words, width: 64, height: 64 }),
        h("span", { class: "near-label" }, `${each.number}: ${classes[each.label]}`),
        mislabeled ? h("span", { class: "near-truth" }, `true: ${classes[each.truth]}`) : null],
      () => this.state.change(each.face), { title: `${words}. Click to load it.` }));
  }
}
