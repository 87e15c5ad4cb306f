// The jobs of a vector store: those that run, with progress, and those whose files can be tried again.

import { cancelJob, jobFiles, jobs, retryJob } from "../api/api.js";
import { errorText } from "../language/errors.js";
import { duration } from "../language/numbers.js";
import { stepText } from "../language/sent_texts.js";
import { locale, t } from "../language/texts.js";
import { html, useCallback, useEffect, useRef, useState } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";

const ACTIVE = ["queued", "running"];
const POLL_MS = 1000;
const IDLE_POLL_MS = 10_000;
/** Of the jobs that need attention; the others are folded. */
const SHOWN_ENDED = 3;

/** `changes` is any value that changes when a job may have begun. `onEnded` is called when one has ended. */
export function Jobs({ store, isShown, changes, onEnded }) {
  const [list, refresh] = useJobs(store, isShown, changes, onEnded);
  const [dismissed, setDismissed] = useState([]);
  const dismiss = (...some) => setDismissed((ids) => [...ids, ...some.map((job) => job.id)]);
  const shown = list.filter((job) => isActive(job) || (needsAttention(job) && !dismissed.includes(job.id)));
  if (!shown.length) return null;
  const ended = shown.filter((job) => !isActive(job));
  const folded = ended.slice(SHOWN_ENDED);
  const listed = (some) => html`
    <ul>
      ${some.map((job) => html`<${Job} key=${job.id} job=${job} onChange=${refresh} onDismiss=${() => dismiss(job)} />`)}
    </ul>
  `;
  return html`
    <section class="jobs" aria-label=${t("job.title")}>
      ${listed(shown.filter((job) => !folded.includes(job)))}
      ${folded.length > 0 &&
      html`
        <details>
          <summary>${t("job.more", { count: folded.length })}</summary>
          ${listed(folded)}
        </details>
        <button type="button" class="small" onClick=${() => dismiss(...ended)}>${t("job.dismiss_all")}</button>
      `}
    </section>
  `;
}

export const isActive = (job) => ACTIVE.includes(job.status);
const unfinished = (job) => job.file_counts.failed + job.file_counts.cancelled;
const needsAttention = (job) => unfinished(job) > 0 || job.status === "failed";

/** The newest jobs of a store, asked for again and again while they are shown, and a function that asks at once. */
function useJobs(store, isShown, changes, onEnded) {
  const [list, setList] = useState([]);
  const active = useRef(new Set());
  const latest = useRef(0);
  const timer = useRef(0);
  const refresh = useCallback(async () => {
    const request = ++latest.current;
    clearTimeout(timer.current);
    const page = await jobs(store).catch(() => null); // the list of documents shows why
    if (request !== latest.current) return; // a later request has taken over
    const running = new Set(page?.filter(isActive).map((job) => job.id));
    if (page) setList(page);
    if ([...active.current].some((id) => page && !running.has(id))) onEnded();
    active.current = running;
    timer.current = setTimeout(refresh, running.size ? POLL_MS : IDLE_POLL_MS);
  }, [store]);
  useEffect(() => {
    if (!isShown) return;
    refresh();
    return () => {
      latest.current++;
      clearTimeout(timer.current);
    };
  }, [isShown, changes, refresh]);
  return [list, refresh];
}

function Job({ job, onChange, onDismiss }) {
  const [state, run] = useAction();
  const act = (action) => () =>
    run(async () => {
      await action();
      onChange();
    });
  const retry = act(async () => {
    await retryJob(job.id);
    onDismiss();
  });
  const { total, completed, failed } = job.file_counts;
  return html`
    <li class="job">
      <p class="head">
        <strong>${t(`job.kind.${job.kind}`)}</strong>
        <span class=${`state ${job.status}`}>${t(`job.status.${job.status}`)}</span>
        ${total > 0 && html`<span>${t("job.files", { completed, total })}</span>`}
        ${failed > 0 && html`<span class="problem error">${t("job.failed", { count: failed })}</span>`}
      </p>
      <div class="actions">
        ${isActive(job) && html`<button type="button" disabled=${state.isBusy} onClick=${act(() => cancelJob(job.id))}>${t("job.cancel")}</button>`}
        ${!isActive(job) && unfinished(job) > 0 && html`<button type="button" disabled=${state.isBusy} onClick=${retry}>${t("chat.retry")}</button>`}
        ${!isActive(job) && html`<button type="button" class="icon" aria-label=${t("job.dismiss")} title=${t("job.dismiss")} onClick=${onDismiss}>×</button>`}
      </div>
      ${isActive(job) && html`<${Progress} job=${job} />`}
      ${job.error && html`<p class="problem error" dir="auto">${t("job.error", { message: job.error })}</p>`}
      ${!isActive(job) && unfinished(job) > 0 && html`<${UnfinishedFiles} job=${job} />`}
      ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
    </li>
  `;
}

function Progress({ job }) {
  const { waiting_for: waitingFor, stalled, chunks, chunks_total: total, chunks_per_s: rate } = job.progress;
  const left = job.progress.seconds_left;
  const facts = [
    waitingFor ? t("upload.waiting_for", { what: waitingFor }) : stepText(job.progress) || t("upload.starting"),
    total > 0 && t("job.passages", { done: chunks.toLocaleString(locale), total: total.toLocaleString(locale) }),
    rate && t("job.rate", { rate: rate.toLocaleString(locale, { maximumFractionDigits: 1 }) }),
    left && t("job.left", { time: duration(left) }),
    stalled && t("job.stalled"),
  ];
  return html`
    <progress max=${total || 1} value=${chunks} aria-label=${t("upload.progress")}></progress>
    <p><bdi>${facts.filter(Boolean).join(" · ")}</bdi></p>
  `;
}

/** The files that failed, with the reasons; they are fetched when the reader opens the list. */
function UnfinishedFiles({ job }) {
  const [files, setFiles] = useState(null);
  const load = async (event) => {
    if (!event.currentTarget.open || files) return;
    const page = await jobFiles(job.id, "", "failed").catch((error) => ({ data: [{ filename: "", last_error: error }] }));
    setFiles(page.data);
  };
  return html`
    <details onToggle=${load}>
      <summary>${t("job.reasons")}</summary>
      <ul>
        ${files?.map(
          (file) => html`<li><bdi>${file.filename}</bdi> <span class="problem error" dir="auto">${file.last_error && errorText(file.last_error)}</span></li>`,
        )}
      </ul>
    </details>
  `;
}
