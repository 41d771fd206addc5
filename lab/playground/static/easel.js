// The picture, its tools, and the input of a pinned run.

import { ask } from "./api.js";
import { reasonWords, valueWords } from "./controls.js";
import { button, fill, h } from "./dom.js";
import { barLegend, drawBar } from "./runs.js";
import { link } from "./state.js";

const LARGEST = 512;

export class Easel {
  constructor(table, state, { say, play, choose, riddle }) {
    Object.assign(this, { state, say, groups: table.groups });
    this.image = h("img", { class: "picture", alt: "", width: 384, height: 384 });
    this.truth = h("p", { class: "truth" });
    this.seen = h("div", { class: "seen" });
    this.glances = h("div", { class: "glances", "aria-hidden": "true" });
    this.said = h("p", { class: "said", role: "status" });
    this.undo = button("↶ Undo", () => state.undo(), { title: "Ctrl+Z" });
    this.redo = button("↷ Redo", () => state.redo(), { title: "Ctrl+Y" });
    this.element = h("section", { class: "easel", "aria-label": "The face" },
      h("div", { class: "frame" }, this.image, this.glances),
      h("div", { class: "tools" },
        button("⚄ Random face", () => this.#random(), { class: "primary" }),
        this.undo, this.redo,
        button("Reset", () => state.change({ ...state.start }), { title: "Back to the initial face" })),
      this.truth, // below the buttons, which stay where they are when it grows
      h("details", { class: "share" }, h("summary", {}, "Share and save"),
        h("div", { class: "tools" },
          button("Copy link", () => this.#copy(link(), "The link")),
          button("Copy values", () => this.#copy(this.#values(), "The values")),
          button("Copy picture", () => this.#copyPicture()),
          button("Save picture", () => this.#savePicture()),
          button("Save values", () => this.#save(new Blob([this.#values()], { type: "application/json" }), "face.json"))),
        h("p", { class: "hint" }, "The link contains this face and the pinned runs. It works for everybody who can open this TensorBoard.")),
      this.said,
      this.seen,
      h("div", { class: "tools" }, button("? Guessing game", play, { class: "game-open" }), button("☰ Choose what it sees", choose, { class: "levels-open" }), button("⚖ Mystery networks", riddle, { class: "riddle-open" })));
    state.listen((what) => what === "face" && this.#steps());
    this.#steps();
  }

  /** Side of the picture to request, in pixels: as many as the screen shows. */
  size() {
    const shown = this.image.clientWidth || 384;
    const wanted = Math.ceil((shown * (window.devicePixelRatio || 1)) / 64) * 64;
    return Math.min(LARGEST, Math.max(256, wanted));
  }

  /** Show the server's picture. `seen` is the input of a run's network. */
  show({ picture, seen }) {
    this.image.src = picture;
    this.image.alt = described(this.state.face, this.state.attributes);
    if (!seen) {
      fill(this.seen);
      return;
    }
    const old = this.seen.querySelector("img");
    if (old && this.seen.dataset.run === seen.name) old.src = seen.picture;
    else {
      this.seen.dataset.run = seen.name;
      fill(this.seen, h("img", { src: seen.picture, alt: "", width: 96, height: 96 }),
        h("p", { class: "hint" }, `Input of “${seen.name}”: ${seen.size} × ${seen.size} pixels.`));
    }
  }

  /** Show the pinned runs' predictions beside the picture, for narrow windows. */
  glance(pinned) {
    fill(this.glances, pinned.map(({ name, answer, classes }) => {
      const bar = h("div", { class: "bar" });
      drawBar(bar, answer, classes);
      return h("div", {}, h("span", { class: "glance-name" }, `${name}: ${classes[answer.says]}`), bar);
    }), h("p", { class: "hint" }, barLegend(pinned.map(({ classes }) => classes))?.replace(/^Bars: | \(.*$/g, "")));
  }

  /** Show the true label of the picture in a task, and why; null: no task. */
  tellTruth(task, { truth, why } = {}) {
    fill(this.truth);
    if (!task) return;
    const words = truth < 0 ? "The task has no label for this picture" : `True label: ${task.classes[truth]}`;
    const because = reasonWords(why, this.state.attributes);
    this.truth.append(h("b", {}, words), because ? h("span", { class: "because" }, ` – ${because}`) : "",
      h("span", { class: "hint" }, ` (${task.meaning})`),
      this.#stray() ? h("span", { class: "hint stray" }, "Parts that lie beside the head are stray: they do not count.") : "");
  }

  #stray() {
    const { face } = this.state;
    return face.subject === "head" && Object.keys(face).some((name) => name.startsWith("stray_") && face[name] > 0);
  }

  #steps() {
    this.undo.disabled = !this.state.past.length;
    this.redo.disabled = !this.state.future.length;
  }

  async #random() {
    try {
      const { face } = await ask("random", { number: Math.floor(Math.random() * 2 ** 31) });
      this.state.change(face);
    } catch (error) {
      this.#tell(error.message);
    }
  }

  #values() {
    return JSON.stringify(this.state.face, null, 2);
  }

  async #copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this.#tell(`${what} ${what.endsWith("s") ? "are" : "is"} copied.`);
    } catch {
      this.#tell("The browser does not allow this page to copy. Please copy by hand:", text);
    }
  }

  async #exact() {
    const { exact } = await ask("look", { face: this.state.written(), size: LARGEST, exact: 1 });
    return decoded(exact);
  }

  async #copyPicture() {
    try {
      const item = new ClipboardItem({ "image/png": this.#exact() });
      await navigator.clipboard.write([item]);
      this.#tell("The picture is copied.");
    } catch {
      this.#tell("The browser does not allow this page to copy pictures; save it instead.");
    }
  }

  async #savePicture() {
    try {
      this.#save(await this.#exact(), "face.png");
    } catch (error) {
      this.#tell(error.message);
    }
  }

  #save(blob, name) {
    const url = URL.createObjectURL(blob);
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    this.#tell(`Saved as ${name}.`);
  }

  #tell(words, text = "") {
    fill(this.said, words, text && h("textarea", { readOnly: true, rows: 3, value: text, "aria-label": "Text to copy" }));
  }
}

/** A face in words, for screen readers. */
export function described(face, attributes) {
  const words = (name) => valueWords(attributes.get(name), face[name]);
  if (face.subject !== "head") return `Drawing of a ${words("subject")}`;
  const parts = ["eyes", "nose", "mouth", "ears"].map((name) => `${face[name]} ${name}`).join(", ");
  return `Drawing of a head with ${parts}, ${words("arrangement")}; eye color ${words("eye_color")}, `
    + `skin color ${words("skin_color")}, hair color ${words("hair_color")}, background ${words("background_color")}`;
}

/** A data: address as a blob. The page may not fetch such addresses. */
function decoded(address) {
  const [head, content] = address.split(",");
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}
