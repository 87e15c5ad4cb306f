import { html, useEffect, useRef } from "./dom.js";

/** A modal dialog, shown as long as it is rendered. Then what had the focus before gets it back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus();
  }, []);
  return html`
    <dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
      <h2 id="dialog-title"><bdi>${title}</bdi></h2>
      ${children}
    </dialog>
  `;
}
