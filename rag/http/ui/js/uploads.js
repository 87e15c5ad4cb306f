// Uploads files and follows their jobs.

import { ApiError, ingest, job, jobFiles } from "./api.js";

const FILES_PER_REQUEST = 20;
const POLL_MS = 700;
const ENDED = ["completed", "failed", "cancelled"];

/**
 * Upload files and wait until they are processed. `report(name, changes)` is called when a file's state changes to
 * `sending`, `processing`, `completed` or `failed`; `reportJob(id, job)` while a job runs, and with null when it ends.
 */
export async function upload(store, files, report, reportJob) {
  for (let at = 0; at < files.length; at += FILES_PER_REQUEST) {
    await uploadTogether(store, files.slice(at, at + FILES_PER_REQUEST), report, reportJob);
  }
}

export const nameOf = (file) => file.webkitRelativePath || file.name;

async function uploadTogether(store, files, report, reportJob) {
  for (const file of files) report(nameOf(file), { state: "sending" });
  let accepted;
  try {
    accepted = await ingest(store, files);
  } catch (error) {
    if (files.length > 1 && isRefusal(error)) return uploadEach(store, files, report, reportJob);
    return files.forEach((file) => report(nameOf(file), { state: "failed", error: error.message }));
  }
  for (const file of accepted.files) report(file.filename, { state: "processing", change: file.change });
  try {
    await follow(accepted.batch_id, reportJob);
    await reportFiles(accepted.batch_id, report);
  } catch (error) {
    for (const file of accepted.files) report(file.filename, { state: "failed", error: error.message });
  }
}

/** One file that cannot be read refuses the whole request, so the others are sent again without it. */
async function uploadEach(store, files, report, reportJob) {
  for (const file of files) await uploadTogether(store, [file], report, reportJob);
}

const isRefusal = (error) => error instanceof ApiError && error.status >= 400 && error.status < 429 && error.status !== 401;

async function follow(id, reportJob) {
  for (;;) {
    const state = await job(id);
    if (ENDED.includes(state.status)) break;
    reportJob(id, state);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  reportJob(id, null);
}

async function reportFiles(id, report) {
  for (let after = ""; ; ) {
    const page = await jobFiles(id, after);
    for (const file of page.data) report(file.filename, outcomeOf(file));
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

/** The files of a drop, including those in dropped folders. */
export async function droppedFiles(dataTransfer) {
  const entries = [...dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader returns at most a hundred entries at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}
