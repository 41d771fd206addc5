// The state: the face, the pinned runs and the step of training, with undo and redo, kept in the address of the page.
//
// In TensorBoard the page lives in a frame of the same origin. TensorBoard keeps what stands in its
// address as #lab_faces&p.lab_faces.face=…, so that is where the state goes. On a page of its own it
// is the address' own fragment: #face=…&pins=…&step=….

const PREFIX = "p.lab_faces.";
const TAB = "lab_faces";
const VIEWS = ["strips", "parts", "nearest", "over_training", "fool"]; // of the pinned runs
const MOST_PINS = 3;
const MOST_UNDONE = 200;
const LATE = 200; // milliseconds after which the event of a changed address has come

export class State {
  /** `table` is the server's attribute table. */
  constructor(table) {
    this.start = table.start;
    this.attributes = new Map();
    for (const group of table.groups) {
      for (const row of group.attributes) this.attributes.set(row.name, row);
    }
    this.face = { ...this.start };
    this.pins = [];
    this.step = null; // of training, for runs with snapshots; null: the trained networks
    this.view = ""; // of the pinned runs, one of VIEWS; empty: the first
    this.recipe = null; // settings of a training, as text; null: the panel is closed
    this.level = null; // of the game of choosing training faces; null: it is closed
    this.from = ""; // the address that was read or written last, as it is
    this.met = ""; // an address of somebody else that was not written over when it was met,
    this.since = 0; // at this time
    this.album = null; // the view of pictures from disk, as text; null: it is closed
    this.token = ""; // from the link that a board with --train printed; never written into an address
    this.left = false; // whether the page is being left: the address is then another page's
    this.chosen = false; // whether the user chose the pins (to have none is a choice, too)
    this.past = [];
    this.future = [];
    this.listeners = [];
    this.problem = "";
  }

  /** `listener` is called after every change with "face", "pins", "step", "view", "recipe", "level"
   * or "album". */
  listen(listener) {
    this.listeners.push(listener);
  }

  #tell(what) {
    for (const listener of this.listeners) listener(what);
  }

  /** Change some attributes. With `join` the change is one with the change before (a slider that is
   * being dragged). */
  change(values, { join = false } = {}) {
    const face = { ...this.face, ...values };
    if (this.written(face) === this.written()) return;
    if (!join) {
      this.past.push(this.face);
      this.past.splice(0, this.past.length - MOST_UNDONE);
    }
    this.future = [];
    this.face = face;
    this.problem = "";
    this.#tell("face");
  }

  /** Begin with another face: there is nothing to undo. */
  begin(values) {
    this.change(values);
    this.past = [];
    this.#tell("face");
  }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.face);
    this.face = this.past.pop();
    this.#tell("face");
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.face);
    this.face = this.future.pop();
    this.#tell("face");
  }

  isPinned(run) {
    return this.pins.includes(run);
  }

  /** Pin a run or unpin it; of too many pins the oldest is dropped. */
  pin(run, on = !this.isPinned(run)) {
    this.pins = this.pins.filter((name) => name !== run);
    if (on) this.pins = [...this.pins, run].slice(-MOST_PINS);
    this.chosen = true;
    this.#tell("pins");
  }

  /** Show the networks as they were after `step` steps of training; null: the trained ones. */
  go(step) {
    if (step === this.step) return;
    this.step = step;
    this.#tell("step");
  }

  /** Show another view of the pinned runs. */
  show(view) {
    const told = view === VIEWS[0] ? "" : view;
    if (told === this.view) return;
    this.view = told;
    this.#tell("view");
  }

  /** Keep the settings of a training in the address; null: the panel is closed. */
  cook(recipe) {
    if (recipe === this.recipe) return;
    this.recipe = recipe;
    this.#tell("recipe");
  }

  /** Note the level of the game that is open; null: none. */
  enter(level) {
    if (level === this.level) return;
    this.level = level;
    this.#tell("level");
  }

  /** Keep the view of pictures from disk in the address; null: it is closed. */
  browse(album) {
    if (album === this.album) return;
    this.album = album;
    this.#tell("album");
  }

  /** The parameter of a request that tells the step. */
  when() {
    return this.step === null ? {} : { step: this.step };
  }

  /** The face as text: its differences from the initial face, as `eye_color:blue,nose:0`. */
  written(face = this.face) {
    return Object.entries(face)
      .filter(([name, value]) => value !== this.start[name])
      .map(([name, value]) => `${name}:${typeof value === "number" ? short(value) : value}`)
      .join(",");
  }

  /** Read the state from the page's address; invalid entries are left out and named in `problem`. */
  read() {
    const given = readAddress();
    this.from = shownWindow().location.hash;
    const face = { ...this.start };
    const odd = [];
    for (const entry of (given.face ?? "").split(",").filter(Boolean)) {
      const [name, value] = entry.split(":");
      const meant = this.#meant(name, value ?? "");
      if (meant === null) odd.push(entry.slice(0, 60));
      else face[name] = meant;
    }
    this.face = face;
    this.pins = [...new Set((given.pins ?? "").split(",").filter(Boolean).map(decode))].slice(0, MOST_PINS);
    this.step = /^\d{1,8}$/.test(given.step ?? "") ? Number(given.step) : null;
    if (given.step && this.step === null) odd.push(`step ${given.step.slice(0, 60)}`);
    const view = given.view ?? "";
    if (view && !VIEWS.includes(view)) odd.push(`view ${view.slice(0, 60)}`);
    this.view = VIEWS.slice(1).includes(view) ? view : "";
    this.recipe = given.train === undefined ? null : given.train.slice(0, 1000);
    this.token = given.token ?? "";
    this.level = given.level === undefined ? null : given.level.slice(0, 40);
    this.album = given.pictures === undefined ? null : given.pictures.slice(0, 2000);
    this.problem = odd.length ? `Parts of the link are not understood: ${odd.join(", ")}` : "";
    return [given.face, given.pins, given.step, given.pictures].some((each) => each !== undefined);
  }

  #meant(name, value) {
    if (name === "identity") return /^-?\d{1,19}$/.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value) ? value : null;
    const row = this.attributes.get(name);
    if (!row) return null;
    if (row.kind === "categorical") return row.values.some((v) => v.value === value) ? value : null;
    if (!/^-?[\d.]+(e-?\d+)?$/.test(value)) return null;
    const number = Number(value);
    if (row.kind === "count") return row.values.some((v) => v.value === number) ? number : null;
    return number >= row.low && number <= row.high ? number : null;
  }

  /** Write the state into the page's address, without a new entry in the browser's history. False,
   * with nothing written, where somebody else changed the address meanwhile: the event that tells
   * of it may be still to come, and would find the link written over. Called again later, it writes. */
  write() {
    if (this.left) return true;
    const { hash } = shownWindow().location;
    if (hash !== this.from) {
      if (hash !== this.met) this.since = Date.now();
      this.met = hash;
      if (Date.now() - this.since < LATE) return false;
    }
    const given = readAddress();
    const told = given.pins !== undefined || !this.chosen;
    const open = (given.train !== undefined) === (this.recipe !== null) && given.token === undefined;
    if (told && open && !this.differs(given)) return true;
    const kept = [...(this.chosen ? ["pins"] : []), ...(this.recipe === null ? [] : ["train"])];
    writeAddress(this.#entries(), kept);
    this.from = shownWindow().location.hash;
    return true;
  }

  /** Whether the address was changed by somebody else: it differs from the state that is shown, or
   * it has a token or opens the panel for training. */
  isAskedForMore() {
    const given = readAddress();
    return this.differs(given) || given.token !== undefined || (given.train !== undefined) !== (this.recipe !== null);
  }

  /** Whether the address differs from the state that is shown. */
  differs(given = readAddress()) {
    return Object.entries(this.#entries()).some(([name, value]) => (given[name] ?? "") !== value);
  }

  #entries() {
    const pins = this.pins.map(encodeURIComponent).join(",");
    const step = this.step === null ? "" : String(this.step);
    return { face: this.written(), pins, step, view: this.view, train: this.recipe ?? "", level: this.level ?? "", pictures: this.album ?? "" };
  }
}

/** The window whose address the user sees and shares. */
export function shownWindow() {
  try {
    if (window.parent !== window && window.parent.location.origin === location.origin) {
      return window.parent;
    }
  } catch {
    // the page is in a frame of another origin, whose address cannot be read
  }
  return window;
}

/** The link to the present state. */
export const link = () => shownWindow().location.href;

const framed = () => shownWindow() !== window;

function pairs() {
  return shownWindow().location.hash.slice(1).split("&").filter(Boolean)
    .map((pair) => pair.split("="));
}

function readAddress() {
  const prefix = framed() ? PREFIX : "";
  const given = {};
  for (const [key, value] of pairs()) {
    const name = decode(key);
    if (value !== undefined && name.startsWith(prefix)) given[name.slice(prefix.length)] = decode(value);
  }
  return given;
}

/** Write the entries, but for empty ones that are not to be `kept`. */
function writeAddress(entries, kept) {
  const shown = shownWindow();
  const mine = Object.entries(entries).filter(([key, value]) => value || kept.includes(key));
  let hash;
  if (framed()) {
    if (!shown.location.hash.startsWith(`#${TAB}`) && shown.location.hash) return; // another tab
    const others = pairs().filter(([key, value]) => value !== undefined && !decode(key).startsWith(PREFIX));
    hash = [TAB, ...others.map((pair) => pair.join("=")),
      ...mine.map(([key, value]) => `${PREFIX}${key}=${encodeURIComponent(value)}`)].join("&");
  } else {
    hash = mine.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  }
  const { pathname, search } = shown.location;
  shown.history.replaceState(shown.history.state, "", `${pathname}${search}${hash ? "#" + hash : ""}`);
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A number with enough digits for a slider. */
const short = (number) => String(Number(number.toPrecision(8)));
