// Requests to the service. Only public routes, described at `/`.

import { errorText } from "../language/errors.js";
import { t } from "../language/texts.js";
import { nameOf } from "./chosen_files.js";
import { events } from "./sse.js";

const ROOT = new URL("../../../", import.meta.url);
const KEY = "rag.key";

/** A request that failed: `message` is for people, `retryable` says whether trying again may help. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", retryable = true } = {}) {
    super(message);
    Object.assign(this, { status, code, retryable });
  }
}

let whenKeyIsNeeded = () => {};

/** Call `handler` when a request was answered with 401. */
export function onKeyNeeded(handler) {
  whenKeyIsNeeded = handler;
}

/** Keep an API key until the tab is closed; an empty one forgets it. The window gets the event `keychange`. */
export function setKey(key) {
  sessionStorage.setItem(KEY, key);
  dispatchEvent(new Event("keychange"));
}

/** The API key that requests are sent with, or "". */
export const currentKey = () => sessionStorage.getItem(KEY) ?? "";

function keyHeaders() {
  const key = currentKey();
  return key ? { authorization: `Bearer ${key}` } : {};
}

async function send(path, options = {}) {
  const headers = { ...options.headers, ...keyHeaders() };
  let response;
  try {
    response = await fetch(new URL(path, ROOT), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(t("error.unreachable"));
  }
  return accepted(response);
}

/** The response, or its error. */
async function accepted(response) {
  if (response.ok) return response;
  if (response.status === 401) whenKeyIsNeeded();
  throw await failure(response);
}

/** Post a form. `onProgress(sent, total)` is called with bytes of the body, which fetch does not report. */
async function sendForm(path, form, { signal, onProgress }) {
  const request = new XMLHttpRequest();
  request.open("POST", new URL(path, ROOT));
  for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
  request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
  signal.addEventListener("abort", () => request.abort());
  await new Promise((resolve, reject) => {
    request.onload = resolve;
    request.onerror = () => reject(new ApiError(t("error.unreachable")));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.send(form);
  });
  return accepted(new Response(request.responseText, { status: request.status }));
}

async function failure(response) {
  const body = await response.json().catch(() => null);
  const error = body?.error ?? {};
  const message = errorText(error) || t("error.status", { status: response.status });
  return new ApiError(message, { status: response.status, code: error.code, retryable: error.retryable ?? true });
}

const json = async (path, options) => (await send(path, options)).json();

const posted = (body, options = {}) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
  ...options,
});

const below = (store) => `v1/vector_stores/${encodeURIComponent(store)}`;

/**
 * The events of an answer. Aborting `signal` closes the request, which stops the language model. An event `error` gets the
 * id of the request.
 */
export async function* ask(request, signal) {
  const response = await send("ask", posted(request, { signal }));
  try {
    const request_id = response.headers.get("x-request-id");
    for await (const { name, data } of events(response.body)) yield { name, data: name === "error" ? { ...data, request_id } : data };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(t("error.lost"));
  }
}

/** The served models and adapters. */
export const models = async () => (await json("v1/models")).data;

/** All objects of a list, page by page. */
export async function listed(path, order) {
  const all = [];
  for (let after = ""; ; after = all.at(-1).id) {
    const page = await json(`${path}?${query({ limit: 100, order, after })}`);
    all.push(...page.data);
    if (!page.has_more || !page.data.length) return all;
  }
}

export const vectorStores = () => listed("v1/vector_stores", "asc");

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();

/** One page of the documents in a vector store after the document `after`; `chosen`: `name`, `sort`, `order`, `limit`. */
export const documents = (store, after = "", chosen = {}) =>
  json(`${below(store)}/files?${query({ limit: 50, ...chosen, after })}`);

const documentPath = (store, fileId) => `${below(store)}/files/${encodeURIComponent(fileId)}`;

/** Answers and links may refer to a document that was deleted later. */
async function documentJson(path) {
  try {
    return await json(path);
  } catch (error) {
    throw error.status === 404 ? new ApiError(t("error.no_document"), { status: 404, retryable: false }) : error;
  }
}

export const documentOf = (store, fileId) => documentJson(documentPath(store, fileId));

/** The passages that a document was cut into, 20 at a time. */
export const passages = (store, fileId, after = "") => json(`${documentPath(store, fileId)}/passages?${query({ limit: 20, after })}`);

/** The newest versions of a document. */
export const versions = async (store, fileId) => (await json(`${documentPath(store, fileId)}/versions?limit=100`)).data;

/** Replace the attributes of a document; the response is the document. */
export const setAttributes = (store, fileId, attributes) => json(documentPath(store, fileId), posted({ attributes }));

/** Replace the groups that may read a document; the response is the document. */
export const setReadGroups = (store, fileId, groups) => json(documentPath(store, fileId), posted({ read_groups: groups }));

/** Move a vector store to another embedding model; null rebuilds its index. The response is the job. */
export const reindex = (store, embedder) => json(`${below(store)}/reindex`, posted({ embedder }));
export const rollBack = (store) => json(`${below(store)}/reindex/rollback`, { method: "POST" });
export const forgetIndex = (store) => json(`${below(store)}/reindex/forget`, { method: "POST" });

/** A part of the text that was read from a document, with its headings, page, and places on the pages of a PDF. */
export async function documentPart(store, fileId, start, end) {
  const part = await documentJson(`${documentPath(store, fileId)}/content?start=${start}&end=${end}`);
  return { ...part, text: part.data.map((each) => each.text).join("") };
}

/** What is needed to fetch the bytes of a file: `{url, headers}`. */
export const fileRequest = (fileId) => ({
  url: new URL(`v1/files/${encodeURIComponent(fileId)}/content`, ROOT).href,
  headers: keyHeaders(),
});

/**
 * Upload files; the response has the job's id as `batch_id`. Without `readGroups` a replaced document keeps its groups,
 * and a new one has none. `options` are `signal` and `onProgress`, as for `sendForm`.
 */
export async function ingest(store, files, readGroups, options) {
  const form = new FormData();
  for (const file of files) form.append("files", file, nameOf(file));
  form.append("vector_store", store);
  if (readGroups.length) form.append("read_groups", JSON.stringify(readGroups));
  return (await sendForm("ingest", form, options)).json();
}

export const job = (id) => json(`v1/jobs/${encodeURIComponent(id)}`);

/** The newest jobs of a vector store. */
export const jobs = async (store) => (await json(`v1/jobs?${query({ vector_store_id: store, limit: 20 })}`)).data;
export const cancelJob = (id) => json(`v1/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });

/** Start a new job for the files of a job that failed or were cancelled. */
export const retryJob = (id) => json(`v1/jobs/${encodeURIComponent(id)}/retry`, { method: "POST" });

/** The files of a job, with errors and warnings; `filter` is a status. */
export const jobFiles = (id, after = "", filter = "") =>
  json(`v1/jobs/${encodeURIComponent(id)}/files?${query({ limit: 100, after, filter })}`);

/** Remove a document from a vector store; the file is kept. */
export const removeDocument = (store, fileId) =>
  json(documentPath(store, fileId), { method: "DELETE" });

/** Delete a file and its documents in all vector stores. */
export const deleteFile = (fileId) => json(`v1/files/${encodeURIComponent(fileId)}`, { method: "DELETE" });

/** For views with requests of their own. */
export { json as requestJson, posted, send as request };
