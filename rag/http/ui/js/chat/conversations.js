// Conversations, kept in the browser.

import { t } from "../language/texts.js";
import { filterOf } from "./filter_rows.js";

const KEY = "rag.conversations";
const OPTIONS_KEY = "rag.options";
const MAX_CONVERSATIONS = 100;
const MAX_HISTORY_TURNS = 10;
const MAX_TITLE = 60;

export const DEFAULT_OPTIONS = {
  store: "default",
  style: "",
  topK: "",
  rerank: "",
  temperature: "",
  model: "",
  citations: "",
  filters: [],
};

const newId = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`; // randomUUID needs HTTPS or localhost

/**
 * A question with its answer so far. It is `running`, `complete`, `stopped` by the reader, or `failed`. `replaced` is a turn
 * whose question is asked again: its answer, if there is any, becomes one of `versions`, oldest first.
 */
export const newTurn = (question, store, replaced = null) => ({
  id: newId(),
  question,
  store,
  answer: "",
  sources: [],
  citations: [],
  state: "running",
  finishReason: "",
  note: "",
  error: null,
  versions: replaced ? [...versionsOf(replaced), ...(replaced.answer ? [{ ...replaced, versions: [] }] : [])] : [],
});

/** The earlier answers of a turn. Those of earlier releases have none. */
export const versionsOf = (turn) => turn.versions ?? [];

export const newConversation = () => ({ id: newId(), title: "", turns: [] });

export const titleFor = (question) =>
  question.length > MAX_TITLE ? `${question.slice(0, MAX_TITLE).trimEnd()}…` : question;

/** The conversations, newest first. An answer that was being written when the page was closed is incomplete. */
export function loadConversations() {
  const conversations = read(KEY, []);
  for (const turn of conversations.flatMap((each) => each.turns)) {
    if (turn.state === "running") turn.state = "stopped";
  }
  return conversations;
}

/** Keep conversations; the oldest are dropped if the browser's storage is full. */
export function saveConversations(conversations) {
  let kept = conversations.filter((each) => each.turns.length).slice(0, MAX_CONVERSATIONS);
  while (!write(KEY, kept) && kept.length > 1) kept = kept.slice(0, -1);
}

export const loadOptions = () => ({ ...DEFAULT_OPTIONS, ...read(OPTIONS_KEY, {}) });
export const saveOptions = (options) => write(OPTIONS_KEY, options);

function read(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** The body of `POST /ask` for a question after `turns`. Options that are not set are the service's. */
export function askRequest(question, turns, options) {
  const request = { question, vector_store: options.store || "default" };
  const history = historyOf(turns);
  if (history.length) request.history = history;
  if (options.style) request.style = options.style;
  if (options.topK) request.top_k = Number(options.topK);
  if (options.temperature !== "") request.temperature = Number(options.temperature);
  if (options.model) request.model = options.model;
  if (options.citations) request.citations = options.citations;
  const filters = filterOf(options.filters);
  if (filters) request.filters = filters;
  if (options.rerank) request.retrieval = { rerank: options.rerank === "on" };
  return request;
}

function historyOf(turns) {
  return turns
    .filter((turn) => turn.state === "complete" && turn.finishReason !== "no_sources" && turn.answer)
    .slice(-MAX_HISTORY_TURNS)
    .flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: withoutMarks(turn.answer) },
    ]);
}

/** Marks refer to the sources of their own answer and would mislead in a later one. */
const withoutMarks = (text) => text.replace(/ ?\[\d+(?:\s*,\s*\d+)*\]/g, "");

/** A turn's answer with the list of its sources, as Markdown. */
export function turnAsMarkdown(turn) {
  const sources = turn.sources.map((source) => `- [${source.index}] ${placeOf(source)}`);
  const incomplete = ["stopped", "failed"].includes(turn.state) ? `*(${t("chat.incomplete")})*` : "";
  return [turn.answer, incomplete, sources.join("\n")].filter(Boolean).join("\n\n");
}

export function conversationAsMarkdown(conversation) {
  const turns = conversation.turns.map((turn) => `## ${turn.question}\n\n${turnAsMarkdown(turn)}`);
  return [`# ${conversation.title}`, ...turns].join("\n\n") + "\n";
}

/** A conversation for programs, with the fields of the API. */
export const conversationAsJson = ({ title, turns }) => JSON.stringify({ title, turns: turns.map(exportedTurn) }, null, 2);

const exportedTurn = (turn) => ({
  question: turn.question,
  answer: turn.answer,
  state: turn.state,
  finish_reason: turn.finishReason,
  style: turn.style,
  confidence: turn.confidence,
  vector_store: turn.store,
  note: turn.note,
  error: turn.error,
  earlier_answers: versionsOf(turn).map(exportedTurn),
  citations: turn.citations,
  sources: turn.sources,
});

/** Where a source stands: file, headings and page. */
export function placeOf(source) {
  const page = source.page ? t("source.page", { page: source.page }) : "";
  return [source.filename, source.heading, page].filter(Boolean).join(" › ");
}
