// Training on the page: the settings of a run, its progress, and the runs that this board has trained.
//
// Only a board that was started with --train has it, and only the link that the board printed holds
// the token that permits it. The token is kept for this browser window and taken out of the address,
// so that a link that is shared does not hold it.

import { ask, post } from "./api.js";
import { button, fill, h, percent } from "./dom.js";

const TOKEN = "lab_faces.token";
const BUSY = 700, IDLE = 5000; // milliseconds between two looks at the runs: while one goes on, and else
const WIDTH = 220, HEIGHT = 46, PAD = 3;

export class Train {
  /** `grown(name)` is called when a run has got further, `trained(name)` when one was started. */
  constructor(state, { grown, started, say }) {
    Object.assign(this, { state, grown, started, say, inputs: new Map(), seen: new Map() });
    this.#take();
    this.fields = h("div", { class: "recipe" });
    this.go = button("▶ Train", () => this.#do({ do: "start", recipe: this.recipe() }), { class: "primary" });
    this.note = h("span", { class: "failed", role: "alert" });
    this.jobs = h("ul", { class: "jobs" });
    this.element = h("details", {
      class: "panel train", hidden: true, open: state.recipe !== null,
      ontoggle: () => this.settings && this.state.cook(this.element.open ? this.written() : null),
    }, h("summary", {}, h("h2", {}, "Train a network")), this.fields,
    h("div", { class: "tools" }, this.go, this.note), this.jobs);
  }

  /** Look whether this board trains, and begin to follow its runs. */
  async open() {
    const told = await ask("training");
    if (!told.settings.length) {
      if (this.state.recipe !== null) this.state.problem = "This link sets up a training, but this board trains nothing: start it with python3 scripts/board.py --train.";
      return;
    }
    this.settings = told.settings;
    fill(this.fields, told.settings.map((setting) => this.#field(setting)));
    this.#set(this.state.recipe ?? "");
    this.stranger = told.stranger;
    this.#permit();
    this.#show(told.jobs);
    this.#follow();
  }

  /** Take over what a link holds that was opened in this tab: settings, and the permission. */
  follow() {
    this.#take();
    if (!this.settings) return;
    this.#permit();
    this.element.open = this.state.recipe !== null;
    if (this.element.open) this.#set(this.state.recipe);
  }

  /** Keep the token of a link, and take it out of the state. */
  #take() {
    if (this.state.token) localStorage.setItem(TOKEN, this.state.token);
    this.token = this.state.token || localStorage.getItem(TOKEN) || "";
    this.state.token = "";
  }

  /** Say who can train, if this page cannot: where nobody asked for a training, the panel is not shown. */
  #permit() {
    this.element.hidden = Boolean(this.stranger || !this.token) && this.state.recipe === null;
    this.go.disabled = Boolean(this.stranger || !this.token);
    this.note.className = this.stranger ? "hint" : "failed";
    fill(this.note, this.stranger ? `Only the computer that runs the board can train: in a class, the teacher's screen has it. Here you can play the games below the picture, and set up a training and copy its link. (Why: ${this.stranger}.)`
      : this.token ? "" : "To train, open the link that the board printed in the terminal of this computer: it holds the permission.");
  }

  #field(setting) {
    const id = `recipe-${setting.name}`;
    const changed = () => { this.#useless(); this.state.cook(this.written()); };
    let input;
    if (setting.kind === "switch") input = h("input", { id, type: "checkbox", onchange: changed });
    else if (setting.kind === "choice") input = h("select", { id, onchange: changed }, setting.values.map((value) => h("option", { value }, value.replaceAll("_", " "))));
    else input = h("input", { id, type: "number", min: setting.low, max: setting.high, step: setting.step, onchange: changed });
    this.inputs.set(setting.name, input);
    return h("div", { class: "ingredient", title: setting.meaning }, h("label", { htmlFor: id }, setting.words), input);
  }

  /** Gray out what has no effect: the number of training faces where each is new, the strength of no cue. */
  #useless() {
    this.inputs.get("num_train").disabled = this.inputs.get("online").checked;
    this.inputs.get("cue_strength").disabled = this.inputs.get("cue").value === "none";
  }

  /** The settings as they stand on the page. */
  recipe() {
    return Object.fromEntries(this.settings.map((setting) => {
      const input = this.inputs.get(setting.name);
      if (setting.kind === "switch") return [setting.name, input.checked];
      return [setting.name, setting.kind === "choice" ? input.value : Number(input.value)];
    }));
  }

  /** The settings as text, `num_train:60,augment:true`: those that are not the defaults. */
  written() {
    const recipe = this.recipe();
    return this.settings.filter((setting) => recipe[setting.name] !== setting.default)
      .map((setting) => `${setting.name}:${recipe[setting.name]}`).join(",");
  }

  #set(written) {
    const given = new Map(written.split(",").filter(Boolean).map((entry) => entry.split(":")));
    for (const setting of this.settings) {
      const input = this.inputs.get(setting.name), value = given.get(setting.name);
      if (setting.kind === "switch") input.checked = value === undefined ? setting.default : value === "true";
      else input.value = value ?? setting.default;
      given.delete(setting.name);
    }
    this.#useless();
    if (given.size) this.state.problem = `Parts of the link are not understood: ${[...given.keys()].join(", ").slice(0, 100)}`;
  }

  async #do(act) {
    this.note.textContent = "";
    this.go.disabled = true;
    try {
      const { name } = await post("train", { token: this.token, ...act });
      if (act.do !== "stop") this.started(name);
      this.#show((await ask("training")).jobs);
      this.hurry?.();
    } catch (error) {
      this.note.textContent = error.message;
    } finally {
      this.go.disabled = false;
      if (document.activeElement === document.body) this.go.focus();
    }
  }

  async #follow() {
    for (;;) {
      await new Promise((done) => {
        this.hurry = done;
        setTimeout(done, this.busy ? BUSY : IDLE);
      });
      if (document.hidden) continue;
      try {
        this.#show((await ask("training")).jobs);
      } catch {
        // the page says elsewhere that the board does not answer
      }
    }
  }

  #show(jobs) {
    this.busy = jobs.some((job) => ["waiting", "running", "stopping"].includes(job.state));
    fill(this.jobs, jobs.slice(0, 6).map((job) => this.#job(job)));
    for (const job of jobs) {
      const now = `${job.state} ${job.step}`;
      if (this.seen.get(job.name) !== now && job.step + (job.state === "finished") > 0) this.grown(job.name);
      if (this.seen.has(job.name) && job.state === "finished" && !this.seen.get(job.name).startsWith("finished")) this.say(`${job.name} is trained.`);
      this.seen.set(job.name, now);
    }
  }

  #job(job) {
    const last = (tag) => job.accuracies[tag]?.at(-1)?.[1];
    const words = {
      waiting: "waits for its turn", running: job.step ? `step ${job.step.toLocaleString("en")} of ${job.steps.toLocaleString("en")}` : "begins …",
      stopping: "stopping …", finished: "trained", stopped: `stopped at step ${job.step.toLocaleString("en")}`, failed: `failed: ${job.line}`,
    }[job.state];
    const shares = ["accuracy/train", "accuracy/test"].map((tag, i) => last(tag) === undefined ? null : h("span", { class: i ? "unseen-share" : "training-share" }, `■ ${i ? "unseen" : "training"} faces: ${percent(last(tag))} right`));
    const act = { running: ["stop", "■ Stop"], waiting: ["stop", "■ Stop"], stopped: ["go on", "▶ Go on"] }[job.state];
    return h("li", { class: `job ${job.state}` },
      h("div", { class: "job-head" }, h("h3", { title: job.name }, job.name), h("span", { class: job.state === "failed" ? "failed" : "hint" }, words),
        act && this.token ? button(act[1], () => this.#do({ do: act[0], run: job.name }), { "aria-label": `${act[1].slice(2)}: ${job.name}` }) : null),
      h("div", { class: "job-curves" }, curves(job), h("p", { class: "hint" }, shares.filter(Boolean).flatMap((share) => [share, " "]))));
  }
}

/** Accuracy on training and on unseen faces over the steps. */
function curves({ accuracies, steps }) {
  const x = (step) => PAD + (WIDTH - 2 * PAD) * Math.sqrt(step / Math.max(1, steps));
  const y = (share) => PAD + (HEIGHT - 2 * PAD) * (1 - share);
  const line = (tag, name) => h("polyline", { class: name, points: (accuracies[tag] ?? []).map(([step, share]) => `${x(step)},${y(share)}`).join(" ") });
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Accuracy over the steps: on training faces, and on unseen ones" },
    h("line", { class: "half", x1: PAD, x2: WIDTH - PAD, y1: y(0.5), y2: y(0.5) }),
    line("accuracy/train", "chance"), line("accuracy/test", "chance unseen-faces"));
}
