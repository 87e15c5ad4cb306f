// The text of a passage, with what an answer quotes from it marked, and on request the text before and after it.

import { documentPart } from "../api/api.js";
import { directionOf, langOf } from "../language/lang.js";
import { t } from "../language/texts.js";
import { html, makeScrollable, useLayoutEffect, useMemo, useRef, useState } from "../shared/dom.js";
import { merged, parts, rangesIn } from "./highlight.js";
import { markdownFragment } from "./passage_markdown.js";

const CONTEXT_CHARS = 3000;
/** Above the quote in a preview that does not begin with the passage: about two lines. */
const LEAD_PX = 40;
/** Formats whose text is not Markdown; all others are read as Markdown. */
const PLAIN = /\.(?:pdf|txt|text|rst|adoc|log|json|jsonl|ndjson)$/i;

/** Whether the text of a source or document is Markdown. */
export const isMarkdown = (source) => source.is_markdown ?? !PLAIN.test(source.filename);

export function PassageText({ source, quotes, store, occurrence }) {
  const [around, setAround] = useState({ state: "closed" });
  const box = useRef();
  const isRich = isMarkdown(source);
  useLayoutEffect(() => {
    const marks = box.current.querySelectorAll("mark");
    (marks[occurrence] ?? marks[0] ?? box.current.querySelector(".passage"))?.scrollIntoView({ block: "center" });
    if (around.state === "open") box.current.focus({ preventScroll: true }); // the button that had the focus is gone
  }, [occurrence, around]);
  const load = async () => {
    setAround({ state: "loading" });
    try {
      setAround(await surroundings(store, source));
    } catch (error) {
      setAround({ state: "failed", message: error.message });
    }
  };
  const Text = isRich ? MarkdownText : PlainText;
  return html`
    <div class=${isRich ? "text rich" : "text"} dir=${isRich ? directionOf(source.text) : "auto"} lang=${langOf(source.text)} ref=${box} tabindex="0" role="group" aria-label=${t("source.passage")}>
      ${around.before && html`<${Text} className="around" text=${around.before} ranges=${NONE} />`}
      <${Text} className="passage" header=${source.header} text=${source.text} ranges=${rangesIn(source, quotes)} />
      ${around.after && html`<${Text} className="around" text=${around.after} ranges=${NONE} />`}
    </div>
    ${around.state === "failed" && html`<p class="failure" role="alert">${around.message}</p>`}
    ${around.state !== "open" &&
    html`<button type="button" disabled=${around.state === "loading"} onClick=${load}>${t("source.more")}</button>`}
  `;
}

const NONE = [];

/** The part of a passage around a quote, as it is shown over a citation. Nothing in it takes the focus. */
export function PassagePreview({ source, quotes, occurrence }) {
  const box = useRef();
  const Text = isMarkdown(source) ? MarkdownText : PlainText;
  useLayoutEffect(() => {
    const marks = box.current.querySelectorAll("mark");
    const mark = marks[occurrence] ?? marks[0];
    for (const link of box.current.querySelectorAll("a")) link.replaceWith(...link.childNodes);
    for (const block of box.current.querySelectorAll("[tabindex]")) block.removeAttribute("tabindex");
    if (mark) box.current.scrollTop += mark.getBoundingClientRect().top - box.current.getBoundingClientRect().top - LEAD_PX;
  }, [source, occurrence]);
  return html`
    <div class=${isMarkdown(source) ? "text rich" : "text"} dir=${isMarkdown(source) ? directionOf(source.text) : "auto"} lang=${langOf(source.text)} ref=${box}>
      <${Text} className="passage" header=${source.header} text=${source.text} ranges=${rangesIn(source, quotes)} isPreview=${true} />
    </div>
  `;
}

/** The text of a passage without marks; the first `repeated` characters are shown paler if it is plain text. */
export function TextOf({ isMarkdown, header, text, repeated }) {
  if (isMarkdown) {
    return html`<div class="text rich" dir=${directionOf(text)} lang=${langOf(text)}><${MarkdownText} className="passage" header=${header} text=${text} ranges=${NONE} /></div>`;
  }
  const points = Array.from(text);
  return html`
    <div class="text" dir="auto" lang=${langOf(text)}>
      ${header && html`<span class="around">${header}${"\n"}</span>`}
      <span class="around">${points.slice(0, repeated).join("")}</span>${points.slice(repeated).join("")}
    </div>
  `;
}

const PlainText = ({ className, header, text, ranges }) => html`
  ${header && html`<span class="around">${header}${"\n"}</span>`}
  <span class=${className}>
    ${parts(text, ranges).map((part) => (part.quoted ? html`<mark>${part.text}</mark>` : part.text))}
  </span>
`;

/**
 * The header goes before the text, so that the rows of a table have their columns. Where the quotes cannot be marked in
 * the rendered text, a preview does without the marks; otherwise the text is shown as it is, with them.
 */
function MarkdownText({ className, header, text, ranges, isPreview }) {
  const box = useRef();
  const above = header ? `${header}\n` : "";
  const shift = Array.from(above).length;
  const wanted = merged(ranges, Array.from(text).length).map(([start, end]) => [start + shift, end + shift]);
  const fragment = useMemo(
    () => markdownFragment(above + text, wanted) ?? (isPreview ? markdownFragment(above + text, NONE) : null),
    [above, text, JSON.stringify(wanted)],
  );
  useLayoutEffect(() => {
    if (!fragment) return;
    box.current.replaceChildren(fragment.cloneNode(true));
    makeScrollable(box.current);
  }, [fragment]);
  if (fragment) return html`<div class=${className} ref=${box}></div>`;
  return html`<div class="plain"><${PlainText} className=${className} header=${header} text=${text} ranges=${ranges} /></div>`;
}

/** The text around a passage. The document may have changed since the answer: then its passage is elsewhere. */
async function surroundings(store, source) {
  const first = Math.max(0, source.start - CONTEXT_CHARS);
  const part = await documentPart(store, source.file_id, first, source.end + CONTEXT_CHARS);
  const points = Array.from(part.text);
  const [start, end] = [source.start - first, source.end - first];
  if (points.slice(start, end).join("").trim() !== source.text.trim()) throw new Error(t("source.changed"));
  const [before, after] = [points.slice(0, start).join(""), points.slice(end).join("")];
  return {
    state: "open",
    before: first === 0 ? before : before.slice(firstBreak(before)),
    after: Array.from(after).length < CONTEXT_CHARS ? after : after.slice(0, lastBreak(after)),
  };
}

/** Where the first whole paragraph begins: half a table would not be shown as one. Failing that, the first whole line. */
const firstBreak = (text) => Math.max(0, text.includes("\n\n") ? text.indexOf("\n\n") : text.indexOf("\n"));

/** Where the last whole paragraph ends, or failing that, the last whole line. */
const lastBreak = (text) => [text.lastIndexOf("\n\n"), text.lastIndexOf("\n"), text.length].find((at) => at > 0);
