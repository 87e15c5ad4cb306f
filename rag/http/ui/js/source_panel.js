// A source beside the chat: where it stands, its passage, and the text around it.

import { documentText } from "./api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { parts, quotedRanges } from "./highlight.js";
import { t } from "./texts.js";

const CONTEXT_CHARS = 3000;

export function SourcePanel({ turn, opened, onOpen, onClose }) {
  const source = turn.sources.find((each) => each.index === opened.index) ?? turn.sources[0];
  const heading = useRef();
  useEffect(() => {
    const before = document.activeElement;
    return () => before?.focus?.();
  }, []);
  useEffect(() => heading.current.focus(), [opened]);
  useEffect(() => {
    const pressed = (event) => event.key === "Escape" && onClose();
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [onClose]);
  const at = turn.sources.indexOf(source);
  const step = (by) => onOpen(turn.sources[at + by].index);
  return html`
    <aside class="panel" aria-labelledby="source-name">
      <div class="bar">
        <button type="button" class="icon" disabled=${at === 0} aria-label=${t("source.previous")} onClick=${() => step(-1)}>‹</button>
        <span>${t("source.number", { index: source.index, count: turn.sources.length })}</span>
        <button type="button" class="icon" disabled=${at === turn.sources.length - 1} aria-label=${t("source.next")} onClick=${() => step(1)}>›</button>
        <button type="button" class="icon close" aria-label=${t("source.close")} onClick=${onClose}>×</button>
      </div>
      <h2 id="source-name" tabindex="-1" ref=${heading}><bdi>${source.filename}</bdi></h2>
      ${source.heading && html`<p class="place" dir="auto">${source.heading.split(" > ").join(" › ")}</p>`}
      <p class="facts">
        ${source.page ? html`<span>${t("source.page", { page: source.page })}</span>` : ""}
        <span>${t("source.score", { score: source.score.toFixed(2) })}</span>
      </p>
      <${Passage}
        key=${`${turn.id} ${source.index}`}
        source=${source}
        ranges=${quotedRanges(turn, source.index)}
        store=${turn.store}
        occurrence=${opened.occurrence}
      />
    </aside>
  `;
}

/** The passage with what the answer quotes from it; on request with the text before and after it. */
function Passage({ source, ranges, store, occurrence }) {
  const [around, setAround] = useState({ state: "closed" });
  const box = useRef();
  useLayoutEffect(() => {
    const marks = box.current.querySelectorAll("mark");
    (marks[occurrence] ?? marks[0] ?? box.current.querySelector(".passage"))?.scrollIntoView({ block: "center" });
    if (around.state === "open") box.current.focus({ preventScroll: true }); // the button that had the focus is gone
  }, [occurrence, around]);
  const load = async () => {
    setAround({ state: "loading" });
    try {
      setAround(surroundings(await documentText(store, source.file_id), source));
    } catch (error) {
      setAround({ state: "failed", message: error.message });
    }
  };
  const relative = ranges.map(([start, end]) => [start - source.start, end - source.start]);
  return html`
    <div class="text" dir="auto" ref=${box} tabindex="0" role="group" aria-label=${t("source.passage")}>
      ${around.before && html`<span class="around">${around.before}</span>`}
      ${source.header && html`<span class="around">${source.header}${"\n"}</span>`}
      <span class="passage">
        ${parts(source.text, relative).map((part) => (part.quoted ? html`<mark>${part.text}</mark>` : part.text))}
      </span>
      ${around.after && html`<span class="around">${around.after}</span>`}
    </div>
    ${around.state === "failed" && html`<p class="failure" role="alert">${around.message}</p>`}
    ${around.state !== "open" &&
    html`<button type="button" disabled=${around.state === "loading"} onClick=${load}>${t("source.more")}</button>`}
  `;
}

/** The text around a passage. The document may have changed since the answer: then its passage is elsewhere. */
function surroundings(text, source) {
  const points = Array.from(text);
  const there = points.slice(source.start, source.end).join("");
  if (there.trim() !== source.text.trim()) return { state: "failed", message: t("source.changed") };
  return {
    state: "open",
    before: points.slice(Math.max(0, source.start - CONTEXT_CHARS), source.start).join(""),
    after: points.slice(source.end, source.end + CONTEXT_CHARS).join(""),
  };
}
