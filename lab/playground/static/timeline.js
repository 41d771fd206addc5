// The timeline: the step of training that the page shows, for all runs with snapshots of their weights.

import { button, fill, h } from "./dom.js";

const FRAME = 160; // milliseconds that a step stays while the training is played, at least

export class Timeline {
  /** `shown()` are the runs whose steps it has; `redraw()` resolves once the page shows the state's
   * step; `id` is that of the slider, and `label` its name. */
  constructor(state, { id, label, shown, redraw, say }) {
    Object.assign(this, { state, shown, redraw, say, steps: [], playing: null });
    this.play = button("▶", () => this.#toggle(), { class: "play" });
    this.words = h("output", { class: "timeline-words", htmlFor: id });
    this.slider = h("input", {
      id, type: "range", min: 0, step: 1, "aria-label": label,
      oninput: () => { this.playing = null; this.#set(Number(this.slider.value)); },
    });
    this.element = h("section", { class: "panel timeline", "aria-label": "Time of training", hidden: true },
      this.play, this.slider, this.words);
    state.listen((what) => { if (what === "pins" || what === "step") this.show(); });
  }

  /** Take over the runs' snapshots and the state's step. */
  show() {
    const kept = this.shown().filter((run) => run.snapshots?.length);
    const steps = new Set(kept.flatMap((run) => run.snapshots));
    this.ends = new Set(kept.map((run) => run.step).filter((step) => step !== null));
    const end = Math.max(...this.ends, ...steps);
    for (const step of this.ends) if (step < end) steps.add(step);
    this.steps = [...steps].sort((a, b) => a - b);
    this.element.hidden = !kept.length;
    if (!kept.length) return;
    const { step } = this.state;
    const at = step === null ? this.steps.length : Math.max(0, this.steps.findLastIndex((each) => each <= step));
    this.slider.max = this.steps.length;
    if (Number(this.slider.value) !== at) this.slider.value = at;
    const told = step === null ? this.#trained() : `after ${steps_(this.steps[at])}`;
    this.words.textContent = told;
    this.slider.setAttribute("aria-valuetext", told);
    this.#mark();
  }

  /** The parameters of a request that tell the step, and that other steps may follow. */
  when() {
    return { ...this.state.when(), ...(this.element.hidden ? {} : { film: 1 }) };
  }

  #trained() {
    const ends = [...this.ends];
    return ends.length === 1 ? `trained (${steps_(ends[0])})` : "trained";
  }

  #set(at) {
    this.state.go(at >= this.steps.length ? null : this.steps[at]);
  }

  #mark() {
    fill(this.play, this.playing ? "❚❚" : "▶");
    this.play.setAttribute("aria-label", this.playing ? "Pause" : "Play the training");
    this.play.title = this.playing ? "Pause" : "Play the training from its first step";
  }

  async #toggle() {
    if (this.playing) {
      this.playing = null;
      this.#mark();
      return;
    }
    const turn = this.playing = {};
    const begin = this.state.step === null ? 0 : Number(this.slider.value);
    try {
      for (let at = begin; at <= this.steps.length; at += 1) {
        if (this.playing !== turn) return;
        this.#set(at);
        await Promise.all([this.redraw(), new Promise((done) => setTimeout(done, FRAME))]);
      }
      this.say("The training was played to its end.");
    } finally {
      if (this.playing === turn) this.playing = null;
      this.#mark();
    }
  }
}

const steps_ = (count) => `${count.toLocaleString("en")} step${count === 1 ? "" : "s"}`;
