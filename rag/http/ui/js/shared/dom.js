// What components need of the libraries, imported in one place.

import htm from "../../vendor/htm.mjs";
import { h, render } from "../../vendor/preact.mjs";

export { render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/hooks.mjs";

/** Turns a tagged template into elements: html`<p>${text}</p>`. Values are text, never HTML. */
export const html = htm.bind(h);

/** Make tables and code that are wider than their place reachable by keyboard, to scroll them. */
export function makeScrollable(box) {
  for (const block of box.querySelectorAll("table, pre")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
  }
}
