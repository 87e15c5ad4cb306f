// Rates, latencies and queues of the last minutes, from the readings of `/metrics` since the view was opened.

import { count, duration, short } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { Sparkline } from "../shared/plots.js";
import { quantile, rate } from "./metrics.js";

const EDGE = { service: "RAG" };
const RETRIEVAL = { stage: "retrieve" };
/** Each has a value for two readings that follow each other. */
const COURSES = [
  ["service.course.requests", (a, b) => rate(a, b, "rag_http_requests_total", EDGE), perSecond],
  ["service.course.errors", (a, b) => rate(a, b, "rag_request_errors_total", EDGE), perSecond],
  ["service.fact.in_flight", (_, b) => b.sum("rag_http_requests_in_flight", EDGE), count],
  ["service.course.tokens", (a, b) => rate(a, b, "rag_tokens_total", { type: "completion" }), perSecond],
  ["service.fact.running", (_, b) => b.sum("rag_generations_running"), count],
  ["service.course.waiting", (_, b) => b.sum("vllm:num_requests_waiting"), count],
];
/** Histograms in seconds. */
const LATENCIES = [
  ["retrieve", "rag_retrieval_stage_duration_seconds", RETRIEVAL],
  ["first_token", "rag_answer_first_token_seconds", {}],
  ["answer", "rag_answer_duration_seconds", {}],
];
const LEVELS = [
  ["unfinished_jobs", (it) => (it.sum("rag_jobs", { state: "queued" }) || 0) + (it.sum("rag_jobs", { state: "running" }) || 0), count],
  ["stalled_jobs", (it) => it.sum("rag_stalled_jobs"), count],
  ["generate", (it) => it.sum("rag_queue_waiting", { stage: "generate" }), count],
  ["parse", (it) => it.sum("rag_queue_waiting", { stage: "parse" }), count],
  ["disk", (it) => it.sum("rag_data_disk_free_bytes") / 2 ** 30, (value) => `${short(value)} GiB`],
];

function perSecond(value) {
  return Number.isFinite(value) ? `${short(value)}/s` : "–";
}

export function Traffic({ readings }) {
  const latest = readings.at(-1);
  const pairs = readings.slice(1).map((reading, place) => [readings[place], reading]);
  const time = duration((latest.time - readings[0].time) / 1000);
  return html`
    ${pairs.length > 0 && html`<p class="muted">${t("service.window", { time })}</p>`}
    <div class="cards">
      ${COURSES.map(([name, valueOf, written]) => {
        const values = pairs.map(([before, after]) => valueOf(before, after));
        return Number.isFinite(values.at(-1)) && html`
          <article class="card">
            <h3>${t(name)}</h3>
            <p class="figure">${written(values.at(-1))}</p>
            <${Sparkline} values=${values} />
          </article>
        `;
      })}
      <article class="card">
        <h3>${t("service.latency")}</h3>
        <dl class="facts">
          ${LATENCIES.map(([name, metric, labels]) => html`<div><dt>${t(`service.latency.${name}`)}</dt><dd>${latency(readings[0], latest, metric, labels)}</dd></div>`)}
        </dl>
      </article>
      <article class="card">
        <h3>${t("service.queues")}</h3>
        <dl class="facts">
          ${LEVELS.map(([name, valueOf, written]) => html`<div><dt>${t(`service.level.${name}`)}</dt><dd>${written(valueOf(latest))}</dd></div>`)}
        </dl>
      </article>
    </div>
  `;
}

function latency(before, after, metric, labels) {
  const [p50, p95] = [0.5, 0.95].map((share) => quantile(share, before, after, metric, labels));
  return Number.isFinite(p50) ? `p50 ${short(p50)} s, p95 ${short(p95)} s` : t("service.no_requests");
}
