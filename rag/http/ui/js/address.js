// Addresses within the page: `#chat`, `#documents`, and those of a passage, which can be sent to a colleague.

/** The address of a passage, or of the words `quote` in it. Offsets count characters of the document's text. */
export function sourceAddress(store, fileId, { start, end }, quote = null) {
  const ranges = [`${start}-${end}`, ...(quote ? [`${quote[0]}-${quote[1]}`] : [])];
  return `#source/${[store, fileId].map(encodeURIComponent).join("/")}/${ranges.join("/")}`;
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
