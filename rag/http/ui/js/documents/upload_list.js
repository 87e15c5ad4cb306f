// The files of uploads: what was sent of each, and what became of it.

import { duration, percent, readableBytes } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html, useRef } from "../shared/dom.js";

const SHOWN = 100;
const RATE_OVER_MS = 5000;
/** In this order: what needs attention, what is going on, what waits, and what is done. */
const ORDER = ["failed", "sending", "sent", "processing", "waiting", "cancelled", "completed"];

/** A file that is sent whole waits for those that are sent with it. */
const shownState = (each) => (each.state === "sending" && each.sent === each.file.size ? "sent" : each.state);
const isUnsent = (each) => each.state === "waiting" || each.state === "sending";
export const isFinished = (each) => !isUnsent(each) && each.state !== "processing";
const sum = (uploads, bytesOf) => uploads.reduce((total, each) => total + bytesOf(each), 0);

export function UploadList({ uploads, onCancel, onRetry, onClear }) {
  if (!uploads.length) return null;
  const place = (each) => ORDER.indexOf(shownState(each));
  const shown = uploads.toSorted((one, other) => place(one) - place(other)).slice(0, SHOWN);
  const count = (isCounted) => uploads.filter(isCounted).length;
  const [failed, cancelled] = ["failed", "cancelled"].map((state) => count((each) => each.state === state));
  const counts = { done: count(isFinished) - cancelled, total: uploads.length };
  const isSending = uploads.some(isUnsent);
  return html`
    <section class="uploads" aria-label=${t("upload.list")}>
      <div class="head">
        <strong>${t("upload.counts", counts)}</strong>
        ${failed > 0 && html`<span class="problem error">${t("job.failed", { count: failed })}</span>`}
        ${cancelled > 0 && html`<span class="state">${t("upload.cancelled", { count: cancelled })}</span>`}
        <span class="actions">
          ${uploads.some(isFinished) && html`<button type="button" onClick=${onClear}>${t("upload.clear")}</button>`}
          ${isSending && html`<button type="button" onClick=${onCancel}>${t("upload.cancel")}</button>`}
          ${!isSending && uploads.some((each) => each.isUnsent) && html`<button type="button" onClick=${onRetry}>${t("chat.retry")}</button>`}
        </span>
      </div>
      ${isSending && html`<${Transfer} uploads=${uploads} />`}
      <ul aria-label=${t("upload.list")} tabindex="0">${shown.map((each) => html`<${Upload} key=${each.key} upload=${each} />`)}</ul>
      ${uploads.length > SHOWN && html`<p class="note">${t("upload.more", { count: uploads.length - SHOWN })}</p>`}
      <p class="sr-only" role="status">${uploads.every(isFinished) ? t("upload.finished") : ""}</p>
    </section>
  `;
}

/** How much of the files has been sent since nothing was left to send, how fast, and for how long it will go on. */
function Transfer({ uploads }) {
  const readings = useRef([]);
  const earlier = useRef(null);
  earlier.current ??= new Set(uploads.filter((each) => !isUnsent(each)).map((each) => each.key));
  const taken = uploads.filter((each) => !earlier.current.has(each.key) && (isUnsent(each) || each.sent > 0));
  const [total, sent] = [sum(taken, (each) => each.file.size), sum(taken, (each) => each.sent)];
  const rate = rateOf(readings.current, sent);
  const facts = [
    t("upload.sent", { sent: readableBytes(sent), total: readableBytes(total), percent: percent(sent / (total || 1)) }),
    rate > 0 && t("upload.rate", { rate: readableBytes(rate) }),
    rate > 0 && t("job.left", { time: duration((total - sent) / rate) }),
  ];
  return html`
    <progress max=${total || 1} value=${sent} aria-label=${t("upload.progress")}></progress>
    <p class="note">${facts.filter(Boolean).join(" · ")}</p>
  `;
}

/** Bytes per second over the last seconds; adds a reading to `readings`. Zero while it is not known. */
function rateOf(readings, sent) {
  const now = performance.now();
  if (sent < (readings.at(-1)?.sent ?? 0)) readings.length = 0; // another upload, or a part of it is sent again
  readings.push({ now, sent });
  while (readings[0].now < now - RATE_OVER_MS && readings.length > 2) readings.shift();
  const [first, seconds] = [readings[0], (now - readings[0].now) / 1000];
  return seconds > 0.2 ? (sent - first.sent) / seconds : 0;
}

const Upload = ({ upload }) => html`
  <li class=${upload.state}>
    <bdi>${upload.name}</bdi>
    <span class=${`state ${upload.state}`}>${stateText(shownState(upload), upload)}</span>
    ${upload.error && html`<p class="problem error" dir="auto">${upload.error}</p>`}
    ${upload.warnings?.map((warning) => html`<p class="problem" dir="auto">${warning}</p>`)}
  </li>
`;

function stateText(state, { change, chunks, sent, file }) {
  if (state === "completed") return t(`upload.${change ?? "added"}`, { count: chunks });
  const of = { sent: readableBytes(sent), total: readableBytes(file.size), percent: percent(sent / (file.size || 1)) };
  return t(`upload.state.${state}`, of);
}
