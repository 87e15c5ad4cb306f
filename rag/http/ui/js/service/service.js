// The state of the service: health, traffic, jobs, models and API keys. A part that the key may not use says so.

import "../language/view_texts.js";
import { request, requestJson } from "../api/api.js";
import { isActive } from "../documents/jobs.js";
import { count, dateTime, readableBytes } from "../language/numbers.js";
import { stepText } from "../language/sent_texts.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { Keys } from "./keys.js";
import { Reading } from "./metrics.js";
import { Problem, Table } from "./parts.js";
import { usePolled } from "./polling.js";
import { Traffic } from "./traffic.js";

const KEPT_READINGS = 60;

export default function Service({ stores, isShown }) {
  const ready = usePolled(() => requestJson("readyz"), isShown, stores);
  const readings = usePolled(readMetrics, isShown, stores);
  const jobs = usePolled(() => requestJson("v1/jobs?limit=20"), isShown, stores);
  const models = usePolled(() => requestJson("v1/models"), isShown, stores);
  return html`
    <div class="page service">
      <${Part} title=${t("service.health")} polled=${{ ...ready, error: ready.error?.status === 503 ? null : ready.error }}>
        <${Health} ready=${ready} latest=${readings.value?.at(-1)} />
      <//>
      <${Part} title=${t("service.traffic")} polled=${readings}>
        ${readings.value && html`<${Traffic} readings=${readings.value} />`}
      <//>
      <${Part} title=${t("service.jobs")} polled=${jobs}>${jobs.value && html`<${Jobs} jobs=${jobs.value.data} stores=${stores} />`}<//>
      <${Part} title=${t("service.models")} polled=${models}>${models.value && html`<${Models} models=${models.value.data} />`}<//>
      <${Keys} isShown=${isShown} trigger=${stores} areKeysNeeded=${ready.value?.services?.Retriever?.keys_exist ?? true} />
    </div>
  `;
}

async function readMetrics(before) {
  const text = await (await request("metrics")).text();
  return [...(before ?? []), new Reading(text, Date.now())].slice(-KEPT_READINGS);
}

function Part({ title, polled, children }) {
  return html`
    <section aria-label=${title}>
      <h2>${title}</h2>
      ${polled.error && html`<${Problem} error=${polled.error} />`} ${children}
    </section>
  `;
}

function Health({ ready: { value, error }, latest }) {
  const isReady = value && !error;
  const services = isReady ? Object.entries(value.services) : probed(latest);
  const builds = latest?.all("rag_build_info").map(({ labels }) => labels) ?? [];
  return html`
    <p role="status">
      <span class=${isReady ? "tag in" : "tag bad"}>${t(isReady ? "service.ready" : "service.not_ready")}</span>
      ${error && html` <bdi>${error.message}</bdi>`}
    </p>
    <div class="cards">
      ${services.map(
        ([name, { status, ...facts }]) => html`
          <article class="card">
            <h3>${name} <span class=${status === "ready" ? "tag in" : "tag bad"}>${status === "ready" ? t("service.ready") : status}</span></h3>
            <dl class="facts">${Object.entries(facts).map(([fact, found]) => html`<div><dt>${factName(fact)}</dt><dd><bdi>${factText(fact, found)}</bdi></dd></div>`)}</dl>
          </article>
        `,
      )}
      ${builds.length > 0 &&
      html`<article class="card">
        <h3>${t("service.versions")}</h3>
        <dl class="facts">
          ${builds.map(
            ({ service, version, bentoml, python }) => html`<div><dt>${service}</dt><dd>${version} · BentoML ${bentoml} · Python ${python}</dd></div>`,
          )}
        </dl>
      </article>`}
    </div>
  `;
}

/** The services as the edge's last probes found them, for when it answers nothing but what is wrong. */
const probed = (latest) =>
  (latest?.all("rag_service_ready") ?? []).map(({ labels, value }) => [
    labels.service,
    { status: value ? "ready" : t("service.not_ready") },
  ]);

/** A fact that has no text yet is shown by its name in the API. */
function factName(name) {
  const key = `service.fact.${name}`;
  return t(key) === key ? name : t(key);
}

function factText(name, value) {
  if (name === "cache") return cacheText(value);
  if (typeof value === "number") return count(value);
  if (typeof value === "boolean") return t(`service.${value ? "yes" : "no"}`);
  return [value ?? []].flat().map(String).join(", ") || t("service.none");
}

/** Redis reports no entries, but why the cache is not used. */
function cacheText({ kind, entries, bytes, degraded }) {
  const size = entries === undefined ? "" : t("service.cache", { entries: count(entries), size: readableBytes(bytes) });
  return [kind, size, degraded].filter(Boolean).join(" · ");
}

function Jobs({ jobs, stores }) {
  const nameOf = (id) => stores.list.find((store) => store.id === id)?.name || id;
  const rows = jobs.map((job) => {
    const { waiting_for: waiting } = job.progress;
    const note = job.error || (isActive(job) && (waiting ? t("upload.waiting_for", { what: waiting }) : stepText(job.progress))) || "";
    const { completed, failed, total } = job.file_counts;
    const files = failed ? t("service.files_failed", { completed, total, failed }) : `${completed}/${total}`;
    return {
      key: job.id,
      cells: [t(`job.kind.${job.kind}`), html`<bdi>${nameOf(job.vector_store_id)}</bdi>`, t(`job.status.${job.status}`), files, html`<bdi>${note}</bdi>`, html`<span class="number">${dateTime(job.created_at)}</span>`],
    };
  });
  const names = ["service.job.kind", "options.store", "service.job.state", "service.job.files", "service.job.note", "service.job.created"].map((name) => t(name));
  return html`<${Table} title=${t("service.jobs")} names=${names} rows=${rows} none=${t("service.no_jobs")} />`;
}

function Models({ models }) {
  const rows = models.map((model) => ({
    key: model.id,
    cells: [html`<bdi>${model.id}</bdi>`, model.kind, html`<bdi>${model.parent ?? ""}</bdi>`, model.max_model_len ? count(model.max_model_len) : ""],
  }));
  const names = ["documents.name", "service.job.kind", "service.model.parent", "service.fact.context_tokens"].map((name) => t(name));
  return html`<${Table} title=${t("service.models")} names=${names} rows=${rows} none="" />`;
}
