// The conversations and what can be done with them.

import { useEffect, useRef, useState } from "../shared/dom.js";
import { runTurn } from "./asking.js";
import {
  loadConversations,
  loadOptions,
  newConversation,
  newTurn,
  saveConversations,
  saveOptions,
  titleFor,
} from "./conversations.js";

const SAVE_AFTER_MS = 300;

export function useChat() {
  const [conversations, setConversations] = useState(loadConversations);
  const [currentId, setCurrentId] = useState(conversations[0]?.id ?? null);
  const [options, setOptions] = useState(loadOptions);
  const running = useRef(new Map());
  useSaving(conversations);
  const current = conversations.find((each) => each.id === currentId) ?? null;

  const replaceTurns = (id, change) =>
    setConversations((all) => all.map((each) => (each.id === id ? { ...each, turns: change(each.turns) } : each)));

  /**
   * Ask in the current conversation, or in a new one; `earlier` are the turns before the question. If it is asked again,
   * `replaced` is its turn.
   */
  const ask = (question, earlier, replaced) => {
    const conversation = current ?? newConversation();
    const turn = newTurn(question, options.store, replaced);
    const title = earlier.length ? conversation.title : titleFor(question);
    const asked = { ...conversation, title, turns: [...earlier, turn] };
    setConversations((all) => [asked, ...all.filter((each) => each.id !== asked.id)]);
    setCurrentId(asked.id);
    run(asked.id, turn, earlier);
  };

  const run = async (id, turn, earlier) => {
    const controller = new AbortController();
    running.current.set(id, controller);
    const report = (state) =>
      replaceTurns(id, (turns) => turns.map((each) => (each.id === state.id ? state : each)));
    await runTurn(turn, earlier, options, controller.signal, report);
    running.current.delete(id);
  };

  const stop = (id = currentId) => running.current.get(id)?.abort();

  const remove = (id) => {
    stop(id);
    const rest = conversations.filter((each) => each.id !== id);
    setConversations(rest);
    if (id === currentId) setCurrentId(rest[0]?.id ?? null);
  };

  return {
    conversations,
    current,
    options,
    ask,
    stop,
    remove,
    askAgain: (turn) => ask(turn.question, before(current.turns, turn), turn),
    open: setCurrentId,
    startNew: () => setCurrentId(null),
    setOptions: (changed) => {
      setOptions(changed);
      saveOptions(changed);
    },
  };
}

const before = (turns, turn) => turns.slice(0, turns.findIndex((each) => each.id === turn.id));

/** Save conversations a moment after they change, and when the page is left. */
function useSaving(conversations) {
  const latest = useRef(conversations);
  latest.current = conversations;
  useEffect(() => {
    const timer = setTimeout(() => saveConversations(latest.current), SAVE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [conversations]);
  useEffect(() => {
    const save = () => saveConversations(latest.current);
    addEventListener("pagehide", save);
    return () => removeEventListener("pagehide", save);
  }, []);
}
