import { useEffect, useState } from "./dom.js";

const NOTHING = { value: null, error: null };

/**
 * What `load()` returns, as `{value, error}`: both null until it is known. It is loaded again when `inputs` change. Also
 * returns a function that replaces the value.
 */
export function useLoaded(load, inputs) {
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    let isCurrent = true;
    const set = (value, error) => isCurrent && setState({ value, error });
    setState(NOTHING);
    load().then((value) => set(value, null), (error) => set(null, error));
    return () => (isCurrent = false);
  }, inputs);
  return [state, (value) => setState({ value, error: null })];
}
