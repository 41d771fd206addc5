// The page. TensorBoard imports this module into a frame and calls render(); index.html does so on a
// page of its own.

import { Newest, Overtaken, ask } from "./api.js";
import { Controls } from "./controls.js";
import { fill, h, settled } from "./dom.js";
import { Easel } from "./easel.js";
import { Game } from "./game.js";
import { Levels } from "./levels.js";
import { Mystery } from "./mystery.js";
import { Pictures } from "./pictures.js";
import { Runs, plainWords } from "./runs.js";
import { State, shownWindow } from "./state.js";
import { followTheme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Train } from "./train.js";
import { Why } from "./why.js";

const MOST_ASKED = 24; // runs in one request to the server
const REFRESH = 8000; // milliseconds between two requests for the list of runs, at least
const SPARING = 20; // pause in units of the time that the last such request took
const MYSTERY = "mystery"; // the level of a link that opens the mystery networks
const HIDDEN = "game-to-come"; // class of the page until the game of a link is there
const QUIET = 250; // milliseconds without a change after which slow parts are updated

export async function render() {
  document.documentElement.lang = "en";
  document.title = "Faces";
  followTheme();
  await stylesheet();
  const place = h("main", { class: "page" }, h("p", { class: "hint" }, "Starting PyTorch, which takes some seconds …"));
  document.body.replaceChildren(place);
  for (;;) {
    try {
      await open(place);
      return;
    } catch (error) {
      await failed(place, error);
    }
  }
}

/** Show the error and wait for the button "Try again". */
function failed(place, error) {
  return new Promise((again) => {
    fill(place, h("div", { class: "panel" },
      h("h2", {}, "The tab Faces cannot be opened"), h("p", { class: "failed" }, error.message),
      h("p", { class: "hint" }, "All other tabs of TensorBoard work without it."),
      h("button", { type: "button", onclick: again }, "Try again")));
  });
}

async function open(place) {
  const table = await ask("table");
  const state = new State(table);
  const linked = state.read();
  const spoken = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
  const say = (words) => { spoken.textContent = words; };
  const banner = h("div", { class: "banner", role: "alert" });
  const tell = (words) => fill(banner, words && h("p", {}, words));

  const newest = new Newest();
  const runs = new Runs(table, state, { onchange: () => look(), browse: (name) => pictures.open(name) });
  const pictures = new Pictures(state, runs, { page: place, say });
  const easel = new Easel(table, state, { say, play: () => game.open(), choose: () => levels.open(), riddle: () => play(MYSTERY) });
  const controls = new Controls(table, state);
  const why = new Why(state, runs, { redraw: () => redraw(), say });
  const game = new Game(state, runs);
  const mystery = new Mystery(state, runs, { page: place, closed: (found) => pinFirst(found) });
  const levels = new Levels(state, { page: place });
  const timeline = new Timeline(state, {
    id: "timeline", label: "Step of training", redraw: () => redraw(), say,
    shown: () => state.pins.map((name) => runs.find(name)).filter((run) => run?.kind === "ready"),
  });

  const train = new Train(state, { grown: (name) => grown(name), started: (name) => started(name), say });

  /** Open a game: the mystery networks, or a level. */
  const play = (name) => {
    pictures.close();
    if (name !== MYSTERY) return levels.open(name);
    state.go(null);
    return mystery.open();
  };

  /** Pin the runs `found`, or two, unless the link or the user chose some. */
  const pinFirst = (found = []) => {
    if (linked || state.chosen) return;
    const first = runs.visible().filter((each) => each.kind === "ready" && !each.answer?.trouble).slice(0, 2).map((run) => run.name);
    for (const name of found.length ? found : first) state.pin(name, true);
  };

  /** Let what the address asks for be seen. */
  const reveal = () => {
    const { recipe, level } = state;
    if (level !== null) return; // a game shows itself
    (recipe !== null && !train.element.hidden ? train : state.view ? why : runs).element.scrollIntoView({ block: "start" });
  };

  let begun = 0, drawn = 0; // updates: the newest that was begun, and the newest that is shown

  /** Draw the face and get the predictions of the runs that are shown. */
  async function update() {
    const turn = ++begun;
    const face = state.written(), { step } = state;
    const [shown, ...others] = batches(runs.asked());
    const told = await ask("look", {
      face, size: easel.size(), run: shown, ...timeline.when(), ...(seenBy(shown) ? { seen: seenBy(shown) } : {}),
    }, "look");
    if (turn < drawn) return; // the answer to a newer request has come already
    drawn = turn;
    easel.show(told);
    runs.expect([shown, ...others].flat());
    runs.answer(told.answers);
    easel.glance([...(runs.aliases?.keys() ?? state.pins)].map((name) => runs.find(name)).filter((run) => run?.answer?.chances)
      .map((run) => ({ name: runs.called(run.name), answer: run.answer, classes: runs.task(run).classes })));
    why.answer();
    rule(told.answers);
    tell(state.problem);
    announce(told.answers);
    for (const run of others) {
      if (state.written() !== face || state.step !== step) return; // the next update does
      runs.answer((await ask("look", { face, size: easel.size(), run, ...timeline.when() }, "look")).answers);
    }
  }
  const seenBy = (shown) => state.pins.find((name) => shown.includes(name));
  const redraw = () => update().catch((error) => {
    if (!(error instanceof Overtaken)) throw error; // the newer one draws
  });
  const look = () => newest.run(() => redraw().catch((error) => tell(error.message)));

  const effects = settled(async () => {
    const face = state.written();
    try {
      const { without } = await ask("effects", { face }, "effects");
      if (state.written() === face) controls.gray(without);
    } catch {
      // the request for the picture reports the error
    }
  }, QUIET);

  /** Show the task of the first pinned run, or of the first run: true label, relevant attributes. */
  function rule(answers) {
    const answer = answers.find((each) => each.name === seenBy(runs.asked())) ?? answers[0];
    const run = answer && runs.find(answer.name);
    easel.tellTruth(answer?.chances ? runs.task(run) : null, answer);
    controls.mark(run?.task, runs.task(run));
  }

  const announce = settled((answers) => {
    if (place.matches(`.${HIDDEN}, .levels-only`)) return; // what runs are told apart by is not told
    const heard = (name) => runs.aliases ? runs.aliases.has(name) : state.isPinned(name);
    const mine = answers.filter((answer) => heard(answer.name) && answer.chances);
    say(mine.map((answer) => `${runs.aliases?.get(answer.name) ?? answer.name}: ${plainWords(answer, runs.task(runs.find(answer.name)).classes)}`).join(". "));
  }, 700);

  runs.refresh = async () => {
    const before = new Map(runs.all.map((run) => [run.name, `${run.changed} ${run.kind}`]));
    const list = await ask("runs", {}, "runs");
    const listed = new Set(list.runs.map((run) => run.name));
    const unlisted = state.pins.filter((name) => !listed.has(name));
    runs.set({ ...list, listed: list.runs.length, runs: [...list.runs, ...await Promise.all(unlisted.map(about))] });
    const newer = runs.all.some((run) => before.get(run.name) !== `${run.changed} ${run.kind}`);
    if (newer && before.size) why.later();
    timeline.show();
    pictures.refresh();
  };

  /** A run of this page was started: show it, as it is now. */
  function started(name) {
    state.go(null);
    state.pin(name, true);
  }

  /** A run of this page has got further. */
  async function grown(name) {
    runs.update(await about(name));
    timeline.show();
    if (state.isPinned(name)) why.later();
    if (state.step === null) await look();
  }

  const store = settled(() => { if (!state.write()) store(); }, QUIET);
  state.listen((what) => {
    const hidden = what === "step" && state.album !== null; // the timeline of the pictures from disk
    if (["face", "pins", "step"].includes(what) && !hidden || what === "album" && state.album === null) look();
    store();
    if (what === "face") effects();
  });

  const follow = followAddress(state, {
    leave: () => { for (const each of [game, levels, mystery]) each.close(); },
    followed: () => {
      train.follow();
      why.follow();
      pictures.follow();
      if (state.level !== null) play(state.level);
      reveal();
    },
  });

  place.classList.toggle(HIDDEN, state.level !== null); // nothing of the runs is told before the game is there
  fill(place, spoken, banner,
    h("p", { class: "hint to-come", role: "status" }, state.level === MYSTERY ? "Loading the mystery networks …" : "Loading the levels …"),
    controls.element, easel.element, h("div", { class: "column" }, mystery.element, train.element, timeline.element, runs.element, why.element), pictures.element, game.element, levels.element);
  const early = state.level !== null && state.level !== MYSTERY; // levels need no run: they do not wait for the list
  if (early) levels.open(state.level, { only: true });
  await runs.refresh();
  await train.open();
  try {
    await update();
  } catch (error) {
    state.face = { ...state.start }; // a link may lead to a face that cannot be drawn
    await update();
    state.problem = `The face of the link cannot be shown: ${error.message}`;
    tell(state.problem);
  }
  if (state.level !== MYSTERY) pinFirst();
  if (!linked && !runs.all.some((run) => run.kind === "ready")) {
    const first = runs.all.find((run) => run.kind === "pictures");
    if (first) pictures.open(first.name);
  }
  pictures.follow();
  tell(state.problem);
  why.show();
  effects();
  if (!state.write()) store();

  if (early) pictures.close(); // the levels are open, or were closed by now
  else if (state.level !== null) play(state.level);
  else if (state.recipe !== null || state.view) reveal();
  place.classList.remove(HIDDEN);

  keys(state);
  follow();
  keepUp(() => runs.refresh().then(() => tell(state.problem), (error) => tell(error.message)));
}

/** Look for new runs from time to time, as long as the page is visible. */
async function keepUp(refresh) {
  for (let pause = REFRESH; ;) {
    await new Promise((done) => setTimeout(done, pause));
    if (document.hidden || !document.documentElement.clientWidth) continue;
    const began = Date.now();
    await refresh();
    pause = Math.max(REFRESH, SPARING * (Date.now() - began));
  }
}

/** A pinned run that is not in the list: beyond its end, or in a link but not in this logdir. */
async function about(name) {
  try {
    return await ask("about", { run: name });
  } catch (error) {
    return { name, kind: "gone", trouble: error.message }; // for now
  }
}

/** The names in batches of at most `MOST_ASKED`; the first batch may be empty. */
function batches(names) {
  const found = [names.slice(0, MOST_ASKED)];
  for (let i = MOST_ASKED; i < names.length; i += MOST_ASKED) found.push(names.slice(i, i + MOST_ASKED));
  return found;
}

function keys(state) {
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.type === "search") return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) state.undo();
    else if (key === "y" || (key === "z" && event.shiftKey)) state.redo();
    else return;
    event.preventDefault();
  });
}

/** A link that is opened in the same tab changes the address alone. `leave()` closes what is open,
 * `followed()` opens what the new address asks for. Links are followed once the function that is
 * returned has been called: until then the newest waits. */
function followAddress(state, { leave, followed }) {
  const shown = shownWindow();
  let ready = false, waits = false, gone = false;
  const changed = () => {
    if (shown !== window && !shown.location.hash.startsWith("#lab_faces")) return;
    if (shown.location.hash === state.from) return; // the event comes late
    if (!ready) {
      waits = true;
      state.left = true; // the link is not to be written over
      return;
    }
    if (!state.isAskedForMore()) return;
    leave();
    const face = { ...state.face }, { step } = state;
    state.read();
    const { face: wanted, problem, step: then } = state;
    Object.assign(state, { face, step });
    state.change(wanted);
    state.go(then);
    state.problem = problem;
    state.pin("", false);
    followed();
  };
  shown.addEventListener("hashchange", changed);
  addEventListener("pagehide", () => {
    shown.removeEventListener("hashchange", changed);
    state.left = gone = true;
  });
  return () => {
    ready = true;
    if (!waits || gone) return;
    state.left = false;
    changed();
  };
}

function stylesheet() {
  return new Promise((done) => {
    const href = new URL("style.css", import.meta.url).href;
    document.head.append(
      h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
      h("link", { rel: "stylesheet", href, onload: done, onerror: done }));
  });
}
