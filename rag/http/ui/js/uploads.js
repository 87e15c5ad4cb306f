// Uploads files and follows their jobs.

import { ApiError, job, jobFiles } from "./api.js";

const FILES_PER_REQUEST = 20;
const POLL_MS = 700;
const ENDED = ["completed", "failed", "cancelled"];

/**
 * Upload files and wait until they are processed. `send(files)` uploads some of them and returns the response of
 * `POST /ingest`. `report(file, changes)` is called when a file's state changes to `sending`, `processing`, `completed`
 * or `failed`.
 */
export async function upload(send, files, report) {
  for (let at = 0; at < files.length; at += FILES_PER_REQUEST) {
    await uploadTogether(send, files.slice(at, at + FILES_PER_REQUEST), report);
  }
}

async function uploadTogether(send, files, report) {
  const reportAll = (changes) => files.forEach((file) => report(file, changes));
  reportAll({ state: "sending" });
  try {
    const accepted = await send(files);
    // By place and by id: a browser changes some characters of a name, such as quotes, when it sends it.
    const byId = new Map(accepted.files.map((each, place) => [each.file_id, files[place]]));
    reportAll({ state: "processing" });
    await follow(accepted.batch_id);
    await reportFiles(accepted.batch_id, (id, changes) => report(byId.get(id), changes));
  } catch (error) {
    if (files.length > 1 && isRefusal(error)) return uploadEach(send, files, report);
    reportAll({ state: "failed", error: error.message });
  }
}

/** One file that cannot be read refuses the whole request, so each file is sent alone. */
async function uploadEach(send, files, report) {
  for (const file of files) await uploadTogether(send, [file], report);
}

const isRefusal = (error) => error instanceof ApiError && [400, 413, 415, 422].includes(error.status);

async function follow(id) {
  for (;;) {
    if (ENDED.includes((await job(id)).status)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function reportFiles(id, report) {
  for (let after = ""; ; ) {
    const page = await jobFiles(id, after);
    for (const file of page.data) report(file.id, outcomeOf(file));
    if (!page.has_more) return;
    after = page.last_id;
  }
}

const outcomeOf = (file) => ({
  state: file.status === "completed" ? "completed" : "failed",
  change: file.change,
  chunks: file.chunks,
  warnings: file.warnings,
  error: file.last_error?.message ?? "",
});
