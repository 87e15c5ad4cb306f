import { useEffect, useState } from "../shared/dom.js";

const POLL_MS = 5000;

/**
 * What `load(before)` returns, loaded again every five seconds while the view is shown: `{value, error}`. A failure keeps
 * the last value. A refusal ends the polling, until `trigger` changes: the reader has signed in with another key.
 */
export function usePolled(load, isShown, trigger) {
  const [state, setState] = useState({ value: null, error: null });
  useEffect(() => {
    if (!isShown) return;
    let [timer, isOver] = [0, false];
    let last = state.value;
    const poll = async () => {
      try {
        if (!document.hidden) last = await load(last);
        if (!isOver) setState({ value: last, error: null });
      } catch (error) {
        if (!isOver) setState({ value: last, error });
        isOver ||= error.status === 401 || error.status === 403;
      }
      if (!isOver) timer = setTimeout(poll, POLL_MS);
    };
    poll();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isShown, trigger]);
  return state;
}
