// An evaluation set that the reader makes: questions, each with the document that answers it. Kept in the browser.

import { askRequest, DEFAULT_OPTIONS, versionsOf } from "../chat/conversations.js";
import { useEffect, useState } from "../shared/dom.js";

const KEY = "rag.eval_set";
const listeners = new Set();
let entries = load();

function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(saved) ? saved : [];
  } catch {
    return [];
  }
}

function change(changed) {
  entries = changed;
  try {
    localStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // The browser's storage is full: the set lasts until the page is closed.
  }
  for (const listener of listeners) listener(entries);
}

/** The entries, newest last. The component is drawn again when they change. */
export function useEvalSet() {
  const [current, setCurrent] = useState(entries);
  useEffect(() => {
    listeners.add(setCurrent);
    return () => listeners.delete(setCurrent);
  }, []);
  return current;
}

/** Note that `document` answers the question; `documents` are the ones to choose from later. */
export const noteAnswer = (question, history, document, documents) =>
  put({ question, history, document, documents, unanswerable: false });

/** Note that no document answers the question. */
export const noteNoAnswer = (question, history) =>
  put({ question, history, document: "", documents: [], unanswerable: true });

/** A question is in the set once. */
function put(entry) {
  const others = entries.filter((each) => each.question !== entry.question);
  change([...others, entry]);
}

/** Choose another document for an entry; an empty name says that none answers it. */
export const chooseDocument = (entry, document) =>
  change(entries.map((each) => (each === entry ? { ...entry, document, unanswerable: !document } : each)));

export const removeEntry = (entry) => change(entries.filter((each) => each !== entry));
export const removeAll = () => change([]);

/** Whether `document` is noted as the answer of a question. */
export const isNoted = (set, question, document) =>
  set.some((entry) => entry.question === question && entry.document === document);

/** Note that a source of a turn has the answer; `turns` are all of its conversation. */
export const noteSource = (turns, turn, source) =>
  noteAnswer(turn.question, historyBefore(turns, turn), source.filename, [...new Set(turn.sources.map((each) => each.filename))]);

/** The questions of a conversation that are not in the set, with what they were answered from: the document cited most. */
export function noteConversation({ turns }) {
  const isNew = ({ state, question }) => state === "complete" && !entries.some((entry) => entry.question === question);
  for (const turn of turns.filter(isNew)) {
    const history = historyBefore(turns, turn);
    const names = new Map(turn.sources.map((source) => [source.index, source.filename]));
    const cited = turn.citations.map((citation) => names.get(citation.index)).filter(Boolean);
    const documents = [...new Set([...cited, ...names.values()])];
    if (documents.length) noteAnswer(turn.question, history, mostFrequent(cited) ?? documents[0], documents);
    else noteNoAnswer(turn.question, history);
  }
}

/** What was said before a turn, as the API takes it. */
const historyBefore = (turns, turn) =>
  askRequest(turn.question, turns.slice(0, turns.findIndex((each) => each === turn || versionsOf(each).includes(turn))), DEFAULT_OPTIONS)
    .history ?? [];

function mostFrequent(names) {
  const times = (name) => names.filter((each) => each === name).length;
  return [...names].sort((one, other) => times(other) - times(one))[0];
}

/** The set in the format of `qa.jsonl`. */
export const asQuestions = (set) =>
  set
    .map(({ question, history, document, unanswerable }, place) =>
      JSON.stringify({
        _id: `q${place + 1}`,
        question,
        ...(unanswerable ? { unanswerable: true } : { gold_doc: document }),
        ...(history?.length && { history }),
      }),
    )
    .join("\n") + "\n";
