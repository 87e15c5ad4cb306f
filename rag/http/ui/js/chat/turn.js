// One question and its answer.

import { langOf } from "../language/lang.js";
import { noteText } from "../language/sent_texts.js";
import { t } from "../language/texts.js";
import { CopyButton } from "../shared/copy_button.js";
import { html } from "../shared/dom.js";
import { Answer } from "./answer.js";
import { placeOf, turnAsMarkdown, versionsOf } from "./conversations.js";

/** `openedIn(turn)` is the number of the source of a turn, or of an earlier version of it, that is open beside the chat. */
export function Turn({ turn, isLast, openedIn, onOpenSource, onAskAgain, onEdit, onWhy }) {
  const isRunning = turn.state === "running";
  const isNothingFound = turn.finishReason === "no_sources";
  return html`
    <article class=${`turn ${turn.state} ${isNothingFound ? "nothing" : ""}`}>
      <h2 class="question" dir="auto" lang=${langOf(turn.question)}>${turn.question}</h2>
      ${isNothingFound && html`<p class="verdict">${t("chat.nothing_found")}</p>`}
      <${Answer} turn=${turn} opened=${openedIn(turn)} onOpenSource=${(...place) => onOpenSource(turn, ...place)} />
      <${Remarks} turn=${turn} onAskAgain=${onAskAgain} isLast=${isLast} />
      ${!isRunning && html`<${Sources} turn=${turn} onOpen=${(index) => onOpenSource(turn, index, 0)} />`}
      ${!isRunning &&
      html`<div class="actions">
        ${turn.answer && html`<${CopyButton} text=${() => turnAsMarkdown(turn)} />`}
        ${isLast && html`<button type="button" onClick=${onAskAgain}>${t("chat.again")}</button>`}
        ${isLast && html`<button type="button" onClick=${onEdit}>${t("chat.edit")}</button>`}
        <button type="button" onClick=${onWhy}>${t("chat.why")}</button>
      </div>`}
      <${Versions} turn=${turn} openedIn=${openedIn} onOpenSource=${onOpenSource} />
    </article>
  `;
}

/** The answers before the question was asked again, newest first. The list is open while there is no new text to read. */
function Versions({ turn, openedIn, onOpenSource }) {
  const versions = versionsOf(turn).toReversed();
  if (!versions.length) return null;
  return html`
    <details class="versions" open=${!turn.answer}>
      <summary>${t("chat.versions")} <span class="count">${versions.length}</span></summary>
      ${versions.map(
        (version) => html`
          <section key=${version.id} class="version" aria-label=${t("chat.version")}>
            <${Answer} turn=${version} opened=${openedIn(version)} onOpenSource=${(...place) => onOpenSource(version, ...place)} />
            <${Remarks} turn=${version} isLast=${false} />
            <${Sources} turn=${version} onOpen=${(index) => onOpenSource(version, index, 0)} />
          </section>
        `,
      )}
    </details>
  `;
}

/** What the reader has to know about an answer: that it failed, is incomplete, or which step was skipped. */
function Remarks({ turn, onAskAgain, isLast }) {
  const { state, error, answer, finishReason, weaklySupported, note, noteCodes, confidence } = turn;
  return html`
    ${state === "stopped" && html`<p class="notice">${t("chat.stopped")}</p>`}
    ${state === "failed" &&
    html`<div class="failure" role=${isLast ? "alert" : null}>
      <p><strong>${t(answer ? "chat.incomplete" : "chat.no_answer")}:</strong> <span dir="auto">${error.message}</span></p>
      ${isLast && error.retryable && html`<button type="button" onClick=${onAskAgain}>${t("chat.retry")}</button>`}
    </div>`}
    ${state === "complete" && finishReason === "length" && html`<p class="notice">${t("chat.too_long")}</p>`}
    ${state === "complete" && finishReason === "repetition" && html`<p class="notice">${t("chat.repetition")}</p>`}
    ${weaklySupported > 0 && html`<p class="notice">${t("chat.weak", { count: weaklySupported })}</p>`}
    ${typeof confidence === "number" &&
    html`<p class="note" title=${t("chat.confidence_meaning")}>${t("chat.confidence", { confidence: confidence.toFixed(2) })}</p>`}
    ${note && html`<p class="note"><span>${t("chat.note")}</span> ${noteText(note, noteCodes)}</p>`}
  `;
}

function Sources({ turn, onOpen }) {
  if (!turn.sources.length) return null;
  const cited = new Set(turn.citations.map((citation) => citation.index));
  return html`
    <ul class="sources" aria-label=${t("chat.sources")}>
      ${turn.sources.map(
        (source) => html`
          <li>
            <button
              type="button"
              class=${cited.has(source.index) ? "source cited" : "source"}
              title=${placeOf(source)}
              onClick=${() => onOpen(source.index)}
            >
              <span class="number">${source.index}</span> <bdi lang=${langOf(source.filename)}>${source.filename.split("/").at(-1)}</bdi>
              <bdi class="section">${sectionOf(source)}</bdi>
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}

/** The page that a source is on, or the heading above it. */
const sectionOf = ({ page, heading }) => (page ? t("source.page", { page }) : heading?.split(" > ").at(-1));
