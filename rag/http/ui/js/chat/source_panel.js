// A source beside the chat.

import { isNoted, noteSource, useEvalSet } from "../evaluation/eval_set.js";
import { langOf } from "../language/lang.js";
import { t } from "../language/texts.js";
import { html, useEffect, useMemo, useRef } from "../shared/dom.js";
import { quotesOf } from "../sources/highlight.js";
import { SourceView } from "../sources/source_view.js";

export function SourcePanel({ turns, turn, opened, onOpen, onClose }) {
  const source = turn.sources.find((each) => each.index === opened.index) ?? turn.sources[0];
  const quotes = useMemo(() => quotesOf(turn, source.index), [turn, source]);
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
      <h2 id="source-name" tabindex="-1" ref=${heading}><bdi lang=${langOf(source.filename)}>${source.filename}</bdi></h2>
      <${SourceView} source=${source} quotes=${quotes} store=${turn.store} occurrence=${opened.occurrence} />
      <${RightPassage} turns=${turns} turn=${turn} source=${source} />
    </aside>
  `;
}

/** Notes in the reader's evaluation set that this document answers the question of the turn. */
function RightPassage({ turns, turn, source }) {
  const noted = isNoted(useEvalSet(), turn.question, source.filename);
  return html`
    <p class="hint">
      <button type="button" class="small" title=${t("set.right_passage_hint")} aria-pressed=${noted} onClick=${() => noteSource(turns, turn, source)}>${t("set.right_passage")}</button>
      ${noted && html`<span role="status">${t("set.noted")} <a href="#evaluation">${t("nav.evaluation")}</a></span>`}
    </p>
  `;
}
