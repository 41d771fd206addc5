// Questions to the server. Addresses are taken relative to this file, so they hold in TensorBoard's
// frame, on the page of its own, and behind a path prefix.

const BASE = new URL(".", import.meta.url);
const PAGE = crypto.getRandomValues(new Uint32Array(2)).join("-");
const BUSY = 429, TRIES = 5; // the server's status when too many ask, and how often to try again
const PATIENCE = 400; // milliseconds without an answer after which a newer question is sent

/** The server was asked something newer instead, before it came to this. */
export class Overtaken extends Error {}

/** The server's answer to a question; an Error with one line for people otherwise. Of the questions
 * of this page in one `slot` the server answers the newest. */
export async function ask(question, parameters = {}, slot = "") {
  const url = new URL(question, BASE);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, each);
  }
  if (slot) url.searchParams.append("slot", `${PAGE}.${slot}`);
  for (let tries = 1; ; tries += 1) {
    try {
      const content = await read(() => fetch(url));
      if (content.overtaken) throw new Overtaken("something newer was asked");
      return content;
    } catch (error) {
      if (error.status !== BUSY || tries === TRIES) throw error;
      await new Promise((again) => setTimeout(again, 1000 * tries * (1 + Math.random())));
    }
  }
}

/** Agree that opening a run executes the file that makes its network. */
export async function allow(run) {
  const body = JSON.stringify({ run });
  const headers = { "Content-Type": "application/json" };
  return read(() => fetch(new URL("allow", BASE), { method: "POST", headers, body }));
}

async function read(get) {
  let response;
  try {
    response = await get();
  } catch {
    throw new Error("TensorBoard does not answer. Is it still running?");
  }
  let content = null;
  try {
    content = await response.json();
  } catch {
    // not JSON: the status has to do
  }
  if (response.ok && content) return content;
  const error = new Error(content?.error ?? `TensorBoard answered with status ${response.status}.`);
  throw Object.assign(error, { status: response.status });
}

/** Runs one job at a time. While one runs, only the newest other one is remembered: a slider that
 * moves on makes no queue. Where many use the board and a job takes long, the newest is started
 * beside it. */
export class Newest {
  #running = 0;
  #began = 0;
  #next = null;
  #timer = 0;

  async run(job) {
    const left = this.#began + PATIENCE - Date.now();
    if (this.#running && left > 0) {
      this.#next = job;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#goOn(), left);
      return;
    }
    this.#next = null;
    this.#running += 1;
    this.#began = Date.now();
    try {
      await job();
    } finally {
      this.#running -= 1;
      this.#goOn();
    }
  }

  #goOn() {
    const next = this.#next;
    if (!next) return;
    this.#next = null;
    this.#began = 0;
    this.run(next);
  }
}
