import { t } from "../language/texts.js";
import { html, useState } from "./dom.js";

const SHOWN_MS = 2000;

/** Copies what `text()` returns. Browsers have a clipboard only under HTTPS or on localhost. */
export function CopyButton({ text, label = "chat.copy" }) {
  const [isCopied, setIsCopied] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setIsCopied(true);
    setTimeout(() => setIsCopied(false), SHOWN_MS);
  };
  return html`<button type="button" onClick=${copy}>${t(isCopied ? "chat.copied" : label)}</button>`;
}
