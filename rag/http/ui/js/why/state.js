// The state of the view "Why" and its form in the address: #why?q=…&store=…&top_k=8&b.rerank=true

import { SETTINGS, settingsOf } from "./settings.js";

const VIEW = "#why";
const SECOND = "b.";

/** `first` and `second` are settings by name; without `second` there is one column. */
export const EMPTY = { question: "", store: "default", history: [], filters: "", first: {}, second: null };

export function addressOf(state) {
  const fields = new URLSearchParams({ q: state.question, store: state.store });
  if (state.history.length) fields.set("history", JSON.stringify(state.history));
  if (state.filters) fields.set("filters", state.filters);
  for (const [name, value] of Object.entries(state.first)) if (value !== "") fields.set(name, value);
  for (const [name, value] of Object.entries(state.second ?? {})) if (value !== "") fields.set(SECOND + name, value);
  if (state.second) fields.set("compare", "1");
  return `${VIEW}?${fields}`;
}

/** The state in an address; null if it has none. What is not understood is left out. */
export function stateIn(address) {
  const [view, query] = [address.split("?", 1)[0], address.slice(address.indexOf("?") + 1)];
  if (view !== VIEW || query === address) return null;
  const fields = new URLSearchParams(query);
  const chosen = (prefix) =>
    Object.fromEntries(
      SETTINGS.filter(({ name }) => fields.get(prefix + name)).map(({ name }) => [name, fields.get(prefix + name)]),
    );
  return {
    question: fields.get("q") ?? "",
    store: fields.get("store") || "default",
    history: turnsIn(fields.get("history")),
    filters: fields.get("filters") ?? "",
    first: chosen(""),
    second: fields.has("compare") ? chosen(SECOND) : null,
  };
}

function turnsIn(text) {
  const isTurn = (turn) => ["user", "assistant"].includes(turn?.role) && typeof turn.content === "string";
  try {
    return JSON.parse(text).filter(isTurn);
  } catch {
    return [];
  }
}

/** The state that repeats the search of a request to `/ask`. */
export const stateOfRequest = (request) => ({
  ...EMPTY,
  question: request.question,
  store: [request.vector_store].flat()[0],
  history: request.history ?? [],
  filters: request.filters ? JSON.stringify(request.filters) : "",
  first: settingsOf({ style: request.style, top_k: request.top_k, ...request.retrieval }),
});
