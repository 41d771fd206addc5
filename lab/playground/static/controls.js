// Sliders and pickers for every attribute, made from the attribute table.

import { h } from "./dom.js";

/** Why a picture has the label that is left over (not a person), in words: "no nose", "1 of 2 ears". */
export function reasonWords(why, attributes) {
  return (why ?? []).map(({ name, now, wanted }) => {
    const row = attributes.get(name);
    if (row.kind === "count" && now < wanted) return now ? `${now} of ${wanted} ${row.words}` : `no ${row.words}`;
    if (row.kind === "continuous") return `${row.words} ${valueWords(row, now)}`;
    return `${row.words}: ${valueWords(row, now)} instead of ${valueWords(row, wanted)}`;
  }).join(", ");
}

/** The controls of all groups. `state` is changed by them and shown in them. */
export class Controls {
  constructor(table, state) {
    this.state = state;
    this.shows = new Map(); // attribute -> function that shows a value
    this.marks = new Map(); // attribute -> element with the mark "relevant"
    this.rows = new Map(); // attribute -> element with its control
    this.groups = []; // {group, title, badge}
    this.element = h("div", { class: "controls" }, table.groups.map((group) => this.#group(group)));
    state.listen((what) => what === "face" && this.show());
    this.show();
  }

  /** Show the state's face. */
  show() {
    for (const [name, show] of this.shows) show(this.state.face[name]);
  }

  /** Gray the controls without an effect on the present picture: attribute -> the one that hides it. */
  gray(without) {
    for (const [name, element] of this.rows) {
      const idle = name in without;
      const by = idle && this.state.attributes.get(without[name]);
      const words = idle && `No effect on this picture${by ? ` while “${by.words}” is ${valueWords(by, this.state.face[by.name])}` : ""}`;
      element.classList.toggle("idle", idle);
      element.title = words || "";
      if (idle) element.setAttribute("aria-description", words);
      else element.removeAttribute("aria-description");
    }
  }

  /** Mark the relevant attributes of the task called `name`. */
  mark(name, task) {
    const relevant = task?.relevant ?? [];
    for (const { group, title, badge } of this.groups) {
      const count = group.attributes.filter((row) => relevant.includes(row.name)).length;
      const all = count === group.attributes.length;
      title.textContent = all && name === "person" ? "What makes a person" : group.title;
      badge.textContent = !task ? "" : all ? "relevant" : count ? "" : "nuisances";
      badge.classList.toggle("nuisance", !count);
      for (const row of group.attributes) this.marks.get(row.name).hidden = all || !relevant.includes(row.name);
    }
  }

  #group(group) {
    const folded = group.name === "stray" || group.name === "camera";
    const title = h("h3", {}, group.title), badge = h("span", { class: "mark" });
    this.groups.push({ group, title, badge });
    return h("details", { class: "group", open: !folded },
      h("summary", {}, title, badge, h("span", { class: "hint" }, group.meaning)),
      group.attributes.map((row) => {
        const element = row.kind === "continuous" ? this.#slider(row) : this.#picker(row);
        this.rows.set(row.name, element);
        return element;
      }));
  }

  #title(row, id) {
    const mark = h("span", { class: "mark", hidden: true, title: "The true label of the pinned run's task depends on this attribute" }, "relevant");
    this.marks.set(row.name, mark);
    return [h("span", { class: "name", id, title: row.meaning }, row.words), mark];
  }

  #slider(row) {
    const id = `slider-${row.name}`;
    const output = h("output", { htmlFor: id });
    const steps = Math.round((row.high - row.low) / row.step);
    const input = h("input", {
      id, type: "range", min: 0, max: steps, step: 1, "aria-describedby": `${id}-ends`,
      oninput: () => this.#slide(row, row.low + (row.high - row.low) * (Number(input.value) / steps)),
      onchange: () => { this.dragging = null; },
      ondblclick: () => this.state.change({ [row.name]: this.state.start[row.name] }),
    });
    this.shows.set(row.name, (value) => {
      const place = Math.round((value - row.low) / row.step);
      if (Number(input.value) !== place) input.value = place;
      output.textContent = shortNumber(value, row);
      input.setAttribute("aria-valuetext", `${shortNumber(value, row)} ${row.unit}, ${row.ends[0]} to ${row.ends[1]}`);
    });
    return h("div", { class: "row" },
      h("div", { class: "row-head" }, h("label", { htmlFor: id }, this.#title(row)), output),
      h("div", { class: "slide" }, input),
      h("div", { class: "ends", id: `${id}-ends` }, h("span", {}, row.ends[0]), h("span", {}, row.ends[1])));
  }

  #slide(row, value) {
    const join = this.dragging === row.name; // one drag is one step of undo
    this.dragging = row.name;
    this.state.change({ [row.name]: Number(value.toPrecision(8)) }, { join });
  }

  #picker(row) {
    const id = `picker-${row.name}`;
    const chips = new Map();
    const element = h("div", { class: "row" },
      h("div", { class: "row-head" }, this.#title(row, id)),
      h("div", { class: "chips", role: "radiogroup", "aria-labelledby": id }, row.values.map((value) => {
        const input = h("input", {
          type: "radio", name: id, value: String(value.value),
          onchange: () => this.state.change({ [row.name]: value.value }),
        });
        chips.set(value.value, input);
        const swatch = value.color && h("span", { class: "swatch", style: `background:${value.color}` });
        return h("label", { class: value.color ? "chip color" : "chip", title: value.words },
          input, swatch, h("span", { class: "chip-text" }, value.words));
      })));
    this.shows.set(row.name, (value) => {
      const chip = chips.get(value);
      if (chip) chip.checked = true;
    });
    return element;
  }
}

/** A number of an attribute with as many digits as its range needs. */
export function shortNumber(value, row) {
  const digits = Math.max(0, 1 - Math.floor(Math.log10((row.high - row.low))));
  const text = value.toFixed(Math.min(digits, 3));
  return Number(text) === 0 ? (0).toFixed(Math.min(digits, 3)) : text;
}

/** An attribute's value in words. */
export function valueWords(row, value) {
  if (row.kind === "continuous") return shortNumber(value, row);
  return row.values.find((each) => each.value === value)?.words ?? String(value);
}
