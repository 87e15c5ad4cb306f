import { useState } from "./dom.js";

/** What the reader started: `{isBusy, error}`, and a function that runs an action and keeps why it failed. */
export function useAction() {
  const [state, setState] = useState({ isBusy: false, error: "" });
  const run = async (action) => {
    setState({ isBusy: true, error: "" });
    const error = await action().then(() => "", (failure) => failure.message);
    setState({ isBusy: false, error });
  };
  return [state, run];
}
