// Addresses within the page, besides those of its views: of a document, and of a passage that is sent to a colleague.

/** The address of a passage, or of the words `quote` in it. Offsets count characters of the document's text. */
export function sourceAddress(store, fileId, { start, end }, quote = null) {
  const ranges = [`${start}-${end}`, ...(quote ? [`${quote[0]}-${quote[1]}`] : [])];
  return `#source/${[store, fileId].map(encodeURIComponent).join("/")}/${ranges.join("/")}`;
}

/** The address of a document. */
export const documentAddress = (store, fileId) => `#document/${[store, fileId].map(encodeURIComponent).join("/")}`;

/** The document that an address names, or null: `{store, fileId}`. */
export function readDocumentAddress(hash) {
  const [view, store, fileId] = hash.slice(1).split("/");
  return view === "document" && store && fileId ? { store: decoded(store), fileId: decoded(fileId) } : null;
}

/** The passage that an address names, or null: `{store, fileId, start, end, quote}`. */
export function readSourceAddress(hash) {
  const [view, store, fileId, range, quote] = hash.slice(1).split("/");
  if (view !== "source" || !store || !fileId || !isRange(range) || (quote && !isRange(quote))) return null;
  const [start, end] = offsets(range);
  return { store: decoded(store), fileId: decoded(fileId), start, end, quote: quote ? offsets(quote) : null };
}

const isRange = (text) => /^\d{1,12}-\d{1,12}$/.test(text ?? "");
const offsets = (range) => range.split("-").map(Number);

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that somebody typed
  }
}

/** The whole address of this page with another fragment. */
export const linkTo = (fragment) => new URL(fragment, location.href).href;
