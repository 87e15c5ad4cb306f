// The page of a link to a passage: its document's name, and the passage where it stands.

import { documentPart } from "../api/api.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { useLoaded } from "../shared/use_loaded.js";
import { readSourceAddress } from "./address.js";
import { SourceView } from "./source_view.js";

/** `retryOn` changes when it may help to load again, because the reader has signed in. */
export function SourcePage({ hash, retryOn }) {
  const address = readSourceAddress(hash);
  const [{ value, error }] = useLoaded(() => load(address), [hash, retryOn.isLoaded]);
  return html`
    <section class="source-page panel" aria-label=${t("source.linked")}>
      ${error && html`<p class="failure" role="alert">${error.message}</p>`}
      ${!error && !value && html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t("source.loading")}</p>`}
      ${value &&
      html`
        <h2><bdi>${value.source.filename}</bdi></h2>
        <${SourceView} ...${value} store=${address.store} occurrence=${0} />
      `}
    </section>
  `;
}

async function load({ store, fileId, start, end, quote }) {
  const passage = await documentPart(store, fileId, start, end);
  const quotes = quote ? [await quoteAt(store, fileId, quote)] : [];
  return { source: { ...passage, header: "" }, quotes };
}

async function quoteAt(store, fileId, [start, end]) {
  const { rectangles } = await documentPart(store, fileId, start, end);
  return { source_start: start, source_end: end, rectangles };
}
