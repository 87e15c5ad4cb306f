import { useState } from "./dom.js";

const IDLE = { isBusy: false, error: "" };

/** What the reader started: `{isBusy, error}`, a function that runs an action, and one that forgets why it failed. */
export function useAction() {
  const [state, setState] = useState(IDLE);
  const run = async (action) => {
    setState({ isBusy: true, error: "" });
    const error = await action().then(() => "", (failure) => failure.message);
    setState({ isBusy: false, error });
  };
  return [state, run, () => setState(IDLE)];
}
