// Requests to the server. Addresses are relative to this file, so that they are valid in TensorBoard's
// frame, on a page of its own, and behind a path prefix.

const BASE = new URL(".", import.meta.url);
const PAGE = crypto.getRandomValues(new Uint32Array(2)).join("-");
const BUSY = 429, TRIES = 5; // the server's status when its queue is full, and the number of tries
const PATIENCE = 400; // milliseconds without a response after which a newer request is sent

/** A newer request of this page took the place of this one before it was processed. */
export class Overtaken extends Error {}

/** The server's response to a request, or an Error with a message of one line. Of this page's requests
 * in one `slot` the server processes only the newest. */
export async function ask(question, parameters = {}, slot = "") {
  const url = new URL(question, BASE);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, each);
  }
  if (slot) url.searchParams.append("slot", `${PAGE}.${slot}`);
  for (let tries = 1; ; tries += 1) {
    try {
      const content = await read(() => fetch(url));
      if (content.overtaken) throw new Overtaken("a newer request was sent");
      return content;
    } catch (error) {
      if (error.status !== BUSY || tries === TRIES) throw error;
      await new Promise((again) => setTimeout(again, 1000 * tries * (1 + Math.random())));
    }
  }
}

/** How many requests are processed before this page's one in a slot. */
export const before = async (slot) => (await ask("place", { of: `${PAGE}.${slot}` })).before;

/** Give permission to execute the file that defines a run's network. */
export const allow = (run) => post("allow", { run });

/** Ask the server to do something. */
export function post(what, told) {
  const headers = { "Content-Type": "application/json" };
  return read(() => fetch(new URL(what, BASE), { method: "POST", headers, body: JSON.stringify(told) }));
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
    // not JSON: only the status is known
  }
  if (response.ok && content) return content;
  const error = new Error(content?.error ?? `TensorBoard answered with status ${response.status}.`);
  throw Object.assign(error, { status: response.status });
}

/** Runs one job at a time and remembers only the newest waiting one, so that a moving slider builds up no
 * queue. If a job takes longer than `PATIENCE`, the newest is started beside it. */
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
