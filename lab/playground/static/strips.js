// The effect of each attribute: the predicted probability over its whole range, the present value
// marked, and below it the true label.

import { valueWords } from "./controls.js";
import { fill, h, listed, percent } from "./dom.js";

const WIDTH = 220, HEIGHT = 44, RULE = 5, PAD = 4;
const FEW = 0.34; // share of a nuisance's values: if it changes the prediction at so few, that is said mildly

/** Fill `place` with one column of strips for each of `columns`: {run, classes, strips}. */
export function showStrips(place, columns, state) {
  const names = columns[0].told.strips.map((strip) => strip.name);
  const most = (name) => Math.max(...columns.map((column) => find(column, name).moves));
  const turns = (name) => columns.some((column) => flips(find(column, name), column));
  const relevant = (name) => columns.some((column) => find(column, name).relevant);
  const order = (list) => list.sort((a, b) => most(b) - most(a));
  const sections = [
    [`Nuisances that change the prediction${columns.length > 1 ? " of at least one network" : ""}`, order(names.filter((n) => !relevant(n) && turns(n)))],
    ["Relevant attributes", order(names.filter((n) => relevant(n)))],
    ["Nuisances that change no prediction", order(names.filter((n) => !relevant(n) && !turns(n)))],
  ];
  const open = place.dataset.open === "yes";
  const held = place.contains(document.activeElement) && document.activeElement.dataset.strip;
  fill(place,
    h("div", { class: "columns" }, columns.map((column) => h("div", {}, whose(column.name), summary(column, state)))),
    h("p", { class: "legend" },
      `The curve is the predicted probability of “${columns[0].classes[columns[0].told.watched]}”, from 0 to 100 %; the dot marks the present face. The strip below is filled where that is the true label. Click a value to set it, or use the arrow keys.`),
    sections.map(([title, list], i) => {
      const rows = list.map((name) => row(name, columns, state));
      if (i < 2) return h("div", {}, h("h4", { class: "section" }, title), rows.length ? rows : h("p", { class: "hint" }, "Nothing."));
      return h("details", { open, ontoggle: (event) => { place.dataset.open = event.target.open ? "yes" : "no"; } },
        h("summary", {}, `${title} (${list.length})`), rows);
    }));
  if (held) [...place.querySelectorAll("[data-strip]")].find((each) => each.dataset.strip === held)?.focus();
}

/** Whether an attribute changes the prediction for this face at any of its values. */
const flips = (strip, column) => strip.says.some((says) => says !== column.told.says);

const find = (column, name) => column.told.strips.find((strip) => strip.name === name);

/** A run's name above its column, shown in narrow windows, where one run is below the other. */
export const whose = (name) => h("h5", { class: "whose" }, name);

/** In words, for this face: nuisances that change the prediction, and relevant attributes that do
 * not. */
function summary(column, state) {
  if (column.progress === "untrained") return h("p", {}, "Not trained yet: what changes its answers here is chance.");
  const { strips } = column.told;
  const good = column.progress ? "" : "right"; // nothing is praised before the end of the training
  const words = (list) => listed(list.map((strip) => state.attributes.get(strip.name).words));
  const should = (strip) => strip.truth.some((truth) => truth !== column.told.truth && truth >= 0);
  const errs = (strip, i) => strip.truth[i] >= 0 && strip.says[i] !== strip.truth[i];
  const wrong = strips.filter((strip) => !strip.relevant && flips(strip, column));
  const ignored = strips.filter((strip) => strip.relevant && should(strip) && !flips(strip, column));
  const changing = strips.filter((strip) => strip.relevant && should(strip) && flips(strip, column));
  const correct = changing.filter((strip) => !strip.values.some((_, i) => errs(strip, i)));
  const partly = changing.filter((strip) => !correct.includes(strip)).map((strip) => {
    const row = state.attributes.get(strip.name);
    const values = strip.values.filter((_, i) => errs(strip, i)).map((value) => valueWords(row, value));
    return `${row.words} (wrong at ${values.length > 3 ? `${values.length} of ${strip.values.length} values` : listed(values)})`;
  });
  const differ = (strip) => strip.says.filter((says) => says !== column.told.says).length;
  const mild = wrong.length === 1 && differ(wrong[0]) <= FEW * wrong[0].values.length;
  return h("ul", { class: "findings" },
    column.progress ? h("li", {}, "Not trained to its end yet.") : null,
    mild ? h("li", {}, `For this face only one nuisance, alone, changes the prediction, and at few of its values: ${words(wrong)}.`)
      : wrong.length ? h("li", { class: "wrong" }, `For this face these nuisances, one at a time, change the prediction: ${words(wrong)}.`)
      : h("li", { class: good }, "For this face no single nuisance changes the prediction."),
    correct.length ? h("li", { class: good }, `Right at every value of ${words(correct)}.`) : null,
    partly.length ? h("li", { class: "wrong" }, `Follows the true label only in part for ${listed(partly)}.`) : null,
    ignored.length ? h("li", { class: "wrong" }, `Does not change with ${words(ignored)}, although the true label does.`) : null);
}

function row(name, columns, state) {
  const attribute = state.attributes.get(name);
  return h("div", { class: "strip-row" },
    h("div", { class: "strip-name", title: attribute.meaning }, attribute.words),
    columns.map((column) => {
      const strip = find(column, name);
      if (!strip.visible) return h("div", { class: "strip hint" }, "no effect on this picture");
      return h("div", { class: "strip" }, columns.length > 1 ? whose(column.name) : null, draw(strip, attribute, column, state));
    }));
}

function draw(strip, attribute, column, state) {
  const watched = column.told.watched;
  const now = state.face[strip.name];
  const continuous = attribute.kind === "continuous";
  const count = strip.values.length;
  const inner = WIDTH - 2 * PAD;
  const x = (i) => continuous
    ? PAD + inner * ((strip.values[i] - attribute.low) / (attribute.high - attribute.low))
    : PAD + inner * ((i + 0.5) / count);
  const y = (chance) => PAD + (HEIGHT - 2 * PAD) * (1 - chance);
  const edge = (i) => i <= 0 ? PAD : i >= count ? WIDTH - PAD : continuous ? (x(i - 1) + x(i)) / 2 : PAD + inner * (i / count);
  const here = nearest(strip.values, now);
  const tip = (i) => `${attribute.words} ${valueWords(attribute, strip.values[i])}: ${column.classes[watched]} ${percent(strip.chances[i])}`;
  const guess = 1 / column.classes.length;
  const chart = [h("line", { class: "half", x1: PAD, x2: WIDTH - PAD, y1: y(guess), y2: y(guess) })];
  if (continuous) {
    chart.push(h("polyline", { class: "chance", points: strip.values.map((_, i) => `${x(i)},${y(strip.chances[i])}`).join(" ") }));
  } else {
    const width = Math.min(26, inner / count - 6);
    strip.values.forEach((value, i) => {
      const color = attribute.values.find((each) => each.value === value)?.color;
      const top = Math.min(y(strip.chances[i]), HEIGHT - PAD - 2);
      chart.push(h("rect", { class: i === here ? "value here" : "value", x: x(i) - width / 2, width, y: top, height: HEIGHT - PAD - top, style: color ? `fill:${color}` : null }));
    });
  }
  chart.push(h("line", { class: "now", x1: x(here), x2: x(here), y1: continuous ? PAD : HEIGHT - PAD, y2: HEIGHT + RULE + 1 }));
  if (continuous) chart.push(h("circle", { class: "dot", cx: x(here), cy: y(strip.chances[here]), r: 3.5 }));
  strip.values.forEach((value, i) => {
    const yes = strip.truth[i] === watched;
    const left = edge(i), right = edge(i + 1);
    chart.push(h("rect", { class: strip.truth[i] < 0 ? "rule none" : yes ? "rule yes" : "rule", x: left, width: Math.max(0, right - left), y: HEIGHT, height: RULE }));
    chart.push(h("rect", { class: "touch", x: left, width: Math.max(0, right - left), y: 0, height: HEIGHT + RULE, onclick: () => state.change({ [strip.name]: value }) }, h("title", {}, tip(i))));
  });
  const low = Math.min(...strip.chances), high = Math.max(...strip.chances);
  const label = `${attribute.words}: ${column.classes[watched]} ${percent(low)} to ${percent(high)}, now ${percent(strip.chances[here])}`;
  const step = (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const there = Math.min(count - 1, Math.max(0, nearest(strip.values, state.face[strip.name]) + by));
    state.change({ [strip.name]: strip.values[there] });
  };
  return h("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT + RULE + 1}`, role: "slider", tabindex: 0, onkeydown: step,
    "data-strip": `${column.run} ${strip.name}`, "aria-label": label, "aria-valuemin": 0,
    "aria-valuemax": count - 1, "aria-valuenow": here, "aria-valuetext": valueWords(attribute, now),
  }, chart);
}

function nearest(values, now) {
  if (typeof now !== "number") return Math.max(0, values.indexOf(now));
  let best = 0;
  values.forEach((value, i) => { if (Math.abs(value - now) < Math.abs(values[best] - now)) best = i; });
  return best;
}
