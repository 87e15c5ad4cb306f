// Which words of a passage an answer quotes.

/** Cuts `text` into parts `{text, quoted}`. Offsets count Unicode code points, as in the API. */
export function parts(text, ranges) {
  const points = Array.from(text);
  const cut = [];
  let at = 0;
  for (const [start, end] of merged(ranges, points.length)) {
    if (start > at) cut.push({ text: points.slice(at, start).join(""), quoted: false });
    cut.push({ text: points.slice(start, end).join(""), quoted: true });
    at = end;
  }
  if (at < points.length) cut.push({ text: points.slice(at).join(""), quoted: false });
  return cut;
}

/** The ranges in their order, within a text of this length, without overlaps. */
export function merged(ranges, length) {
  const sorted = ranges
    .map(([start, end]) => [Math.max(0, start), Math.min(length, end)])
    .filter(([start, end]) => start < end)
    .sort((a, b) => a[0] - b[0]);
  const result = [];
  for (const [start, end] of sorted) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/** What an answer quotes from a source: ranges in the document's text, with their places on the pages of a PDF. */
export function quotesOf(turn, index) {
  return turn.citations.filter((citation) => citation.index === index && citation.quote).map(({ quote }) => quote);
}

/** The ranges of quotes in the text of their source. */
export const rangesIn = (source, quotes) =>
  quotes.map(({ source_start: start, source_end: end }) => [start - source.start, end - source.start]);
