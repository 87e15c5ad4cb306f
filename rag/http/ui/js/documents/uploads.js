// Uploads files, one request after the other, and follows their jobs.

import { ApiError, job, jobFiles } from "../api/api.js";
import { errorText } from "../language/errors.js";
import { warningTexts } from "../language/sent_texts.js";

const FILES_PER_REQUEST = 20;
const BYTES_PER_REQUEST = 32e6;
const POLL_MS = 700;
const ENDED = ["completed", "failed", "cancelled"];

export class UploadQueue {
  #report;
  #waiting = [];
  #accepted = [];
  #sending = null;
  #isFollowing = false;

  /**
   * `report(changes)` is called with a Map from files to what has changed: their `state`, which becomes `sending`,
   * `processing`, and in the end `completed`, `failed` or `cancelled`, the bytes that were `sent`, and the outcome. A file
   * that the service does not have, but would accept, is `isUnsent`.
   */
  constructor(report) {
    this.#report = report;
  }

  /** Upload files after those that wait. `send(files, options)` sends some of them, as `ingest` of the API does. */
  add(files, send) {
    this.#waiting.push(...grouped(files).map((group) => ({ files: group, send })));
    if (!this.#sending) this.#sendAll();
  }

  /** Send nothing more. What the service has accepted goes on: its jobs can be cancelled. */
  cancel() {
    for (const { files } of this.#waiting.splice(0)) this.#note(files, { state: "cancelled", isUnsent: true });
    this.#sending?.abort();
  }

  #note(files, changes) {
    this.#report(new Map(files.map((file) => [file, changes])));
  }

  async #sendAll() {
    while (this.#waiting.length) {
      const { files, send } = this.#waiting.shift();
      this.#sending = new AbortController();
      await this.#send(files, send, this.#sending.signal);
    }
    this.#sending = null;
  }

  async #send(files, send, signal) {
    this.#note(files, { state: "sending", sent: 0 });
    const onProgress = (sent, total) => this.#report(sentOf(files, sent / total));
    try {
      const accepted = await send(files, { signal, onProgress });
      this.#report(new Map(files.map((file) => [file, { state: "processing", sent: file.size }])));
      // By place and by id: a browser changes some characters of a name, such as quotes, when it sends it.
      this.#follow(accepted.batch_id, new Map(accepted.files.map((each, place) => [each.file_id, files[place]])));
    } catch (error) {
      if (files.length > 1 && isRefusal(error)) {
        // One file that cannot be read refuses the whole request, so each file is sent alone.
        this.#waiting.unshift(...files.map((file) => ({ files: [file], send })));
      } else if (error.name === "AbortError") this.#note(files, { state: "cancelled", sent: 0, isUnsent: true });
      else this.#note(files, { state: "failed", sent: 0, isUnsent: !isRefusal(error), error: error.message });
    }
  }

  /** Jobs end in the order of their uploads, more or less, so only the first of them is asked for. */
  async #follow(id, files) {
    this.#accepted.push({ id, files });
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    while (this.#accepted.length) {
      const { id, files } = this.#accepted[0];
      try {
        await followJob(id, (outcomes) => this.#report(new Map(outcomes.map(([fileId, changes]) => [files.get(fileId), changes]))));
      } catch (error) {
        this.#note([...files.values()], { state: "failed", error: error.message });
      }
      this.#accepted.shift();
    }
    this.#isFollowing = false;
  }
}

/** Files that are sent together. */
function grouped(files) {
  const groups = [];
  let bytes = Infinity;
  for (const file of files) {
    bytes += file.size;
    if (bytes > BYTES_PER_REQUEST || groups.at(-1).length === FILES_PER_REQUEST) {
      groups.push([]);
      bytes = file.size;
    }
    groups.at(-1).push(file);
  }
  return groups;
}

/** How much of each file was sent, when this share of all of them was. They are sent in their order. */
function sentOf(files, share) {
  let left = share * files.reduce((sum, file) => sum + file.size, 0);
  return new Map(
    files.map((file) => {
      const sent = Math.min(file.size, Math.round(left));
      left -= sent;
      return [file, { sent }];
    }),
  );
}

const isRefusal = (error) => error instanceof ApiError && [400, 413, 415, 422].includes(error.status);

/** Wait until a job has ended; `report` gets the outcomes of its files when there are further ones. */
async function followJob(id, report) {
  for (let known = 0; ; ) {
    const found = await job(id).catch(unlessUnreachable);
    const hasEnded = ENDED.includes(found?.status);
    const { completed, failed, cancelled } = found?.file_counts ?? { completed: known, failed: 0, cancelled: 0 };
    if (completed + failed + cancelled > known || hasEnded) {
      known = completed + failed + cancelled;
      report(await outcomes(id));
    }
    if (hasEnded) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A job goes on while the service cannot be reached, or after it has started again. */
function unlessUnreachable(error) {
  if (error.status && error.status !== 429 && error.status < 500) throw error;
}

async function outcomes(id) {
  const page = await jobFiles(id); // all of them: a request has fewer files than a page
  return page.data.filter((file) => ENDED.includes(file.status)).map((file) => [file.id, outcomeOf(file)]);
}

const outcomeOf = (file) => ({
  state: file.status,
  change: file.change,
  chunks: file.chunks,
  warnings: warningTexts(file),
  error: file.last_error ? errorText(file.last_error) : "",
});
