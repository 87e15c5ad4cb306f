// The text of an answer. Its citation marks are buttons that show their passage and open it.

import { langOf } from "../language/lang.js";
import { t } from "../language/texts.js";
import { html, makeScrollable, useLayoutEffect, useMemo, useRef, useState } from "../shared/dom.js";
import { answerBlocks } from "../shared/markdown.js";
import { quotesOf } from "../sources/highlight.js";
import { PassagePreview } from "../sources/passage_text.js";

const MARGIN_PX = 8;

/** `opened` is the number of the source that is open beside the answer, which needs no preview. */
export function Answer({ turn, opened, onOpenSource }) {
  const box = useRef();
  const [hovered, setHovered] = useState(null);
  const earlier = useRef([]);
  const blocks = useMemo(() => (earlier.current = answerBlocks(turn.answer, earlier.current)), [turn.answer]);
  useLayoutEffect(() => complete(box.current, turn), [blocks, turn.sources, turn.citations]);
  const show = (event) => {
    const mark = event.target.closest?.(".cite:not(:disabled)");
    if (mark) setHovered({ mark, index: Number(mark.dataset.index), occurrence: occurrenceOf(mark) });
  };
  const hide = () => setHovered(null);
  /** Whether this is the first, second, ... mark of its source. */
  const occurrenceOf = (mark) => [...box.current.querySelectorAll(`.cite[data-index="${mark.dataset.index}"]`)].indexOf(mark);
  const open = (event) => {
    const mark = event.target.closest(".cite");
    if (!mark) return;
    hide();
    onOpenSource(Number(mark.dataset.index), occurrenceOf(mark));
  };
  const source = hovered && turn.sources.find((each) => each.index === hovered.index);
  return html`
    <div
      class="answer"
      lang=${langOf(turn.answer)}
      ref=${box}
      aria-busy=${turn.state === "running"}
      onClick=${open}
      onMouseOver=${show}
      onMouseOut=${hide}
      onFocusIn=${show}
      onFocusOut=${hide}
    >
      ${blocks.map(({ content }) => html`<div class="block" dangerouslySetInnerHTML=${{ __html: content }}></div>`)}
    </div>
    ${turn.state === "running" && !turn.answer && html`<${Progress} turn=${turn} />`}
    ${source && hovered.index !== opened && html`<${Preview} source=${source} turn=${turn} mark=${hovered.mark} occurrence=${hovered.occurrence} />`}
  `;
}

/** A mark whose number is no source, such as `[7]` of four, opens nothing. Weakly supported ones look different. */
function complete(box, { sources, citations }) {
  makeScrollable(box);
  const left = Map.groupBy(citations, (citation) => citation.index);
  for (const mark of box.querySelectorAll(".cite")) {
    const index = Number(mark.dataset.index);
    const isWeak = Boolean(left.get(index)?.shift()?.weak);
    mark.disabled = index > sources.length;
    mark.classList.toggle("weak", isWeak);
    mark.setAttribute("aria-label", t(isWeak ? "chat.citation_weak" : "chat.citation", { index }));
  }
}

/** Only before the text: below a growing text it would be pushed down again and again. */
function Progress({ turn }) {
  const step = turn.sources.length ? "reading" : "searching";
  return html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t(`chat.${step}`)}</p>`;
}

function Preview({ source, turn, mark, occurrence }) {
  const box = useRef();
  useLayoutEffect(() => place(box.current, mark), [mark]);
  return html`
    <div class="preview" role="tooltip" ref=${box}>
      <strong><bdi>${source.filename}</bdi></strong>
      <${PassagePreview} source=${source} quotes=${quotesOf(turn, source.index)} occurrence=${occurrence} />
    </div>
  `;
}

/** Put the preview above its mark, or below if there is no room. */
function place(box, mark) {
  const { left, top, bottom } = mark.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const above = top - height - MARGIN_PX;
  box.style.left = `${Math.max(MARGIN_PX, Math.min(left, innerWidth - width - MARGIN_PX))}px`;
  box.style.top = `${above > MARGIN_PX ? above : bottom + MARGIN_PX}px`;
}
