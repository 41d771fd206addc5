// Questions to the server. Addresses are taken relative to this file, so they hold in TensorBoard's
// frame, on the page of its own, and behind a path prefix.

const BASE = new URL(".", import.meta.url);

/** The server's answer to a question; an Error with one line for people otherwise. */
export async function ask(question, parameters = {}) {
  const url = new URL(question, BASE);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, each);
  }
  return read(() => fetch(url));
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
  throw new Error(content?.error ?? `TensorBoard answered with status ${response.status}.`);
}

/** Runs one job at a time. While one runs, only the newest other one is remembered: a slider that
 * moves on makes no queue. */
export class Newest {
  #busy = false;
  #next = null;

  async run(job) {
    if (this.#busy) {
      this.#next = job;
      return;
    }
    this.#busy = true;
    try {
      await job();
    } finally {
      this.#busy = false;
      const next = this.#next;
      this.#next = null;
      if (next) this.run(next);
    }
  }
}
