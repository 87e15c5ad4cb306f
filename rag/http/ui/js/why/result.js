// What one search found: a summary, the time of each step, the candidates and the prompt.

import { count, fixed, milliseconds } from "../language/numbers.js";
import { noteText } from "../language/sent_texts.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { Bar } from "../shared/plots.js";
import { Candidates } from "./candidates.js";

export function Result({ result, name, other, otherName }) {
  const { found, error } = result;
  return html`
    <section class="result" aria-label=${name} aria-busy=${!found && !error}>
      <h3>${name}</h3>
      ${error && html`<p class="failure" role="alert"><span dir="auto">${error.message}</span></p>`}
      ${!found && !error && html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t("chat.searching")}</p>`}
      ${found &&
      html`
        <p role="status"><strong>${verdict(found)}</strong></p>
        ${found.note && html`<p class="note"><span>${t("chat.note")}</span> ${noteText(found.note, found.note_codes)}</p>`}
        <${Steps} explain=${found.explain} />
        <${Times} timings=${found.timings_ms} />
        <${Prompt} prompt=${found.explain.prompt} />
        <${Candidates} result=${result} other=${other} otherName=${otherName} />
      `}
    </section>
  `;
}

function verdict({ explain, hits }) {
  const { candidates, options } = explain;
  if (!hits.length) return t("why.no_hits");
  if (candidates.some((each) => each.reason === "min_cosine")) {
    const best = Math.max(...candidates.map((each) => each.cosine ?? -1));
    return t("why.nothing_relevant", { best: fixed(best), least: options.min_cosine });
  }
  if (explain.prompt?.style === "quoted" && !explain.prompt.messages.length) {
    const { confidence } = explain.prompt;
    return [t("why.nothing_quoted"), confidence !== null && t("chat.confidence", { confidence: fixed(confidence) })].filter(Boolean).join(" ");
  }
  const used = candidates.filter((each) => each.in_prompt).length;
  return explain.prompt ? t("why.in_prompt", { used, count: candidates.length }) : t("why.no_engine");
}

/** What planning, the paths, fusion, duplicates and reranking did. */
function Steps({ explain: { plan, options, candidates } }) {
  const paths = [...new Set(candidates.flatMap((each) => Object.keys(each.paths)))].sort();
  const weights = paths.map((path) => `${path} ${options.weights[path.split("/")[0]] ?? 1}`).join(", ");
  const duplicates = candidates.filter((each) => each.reason === "duplicate").length;
  const fusion = options.fusion === "rrf" ? t("why.by_ranks", { k: options.rrf_k, weights }) : t("why.by_weights", { weights });
  return html`
    <dl class="facts">
      ${plan.queries.map((query) => html`<${Fact} name=${t("why.query")}><span dir="auto">${query}</span><//>`)}
      ${plan.in_conversation && html`<${Fact} name=${t("why.in_conversation")}><span dir="auto">${plan.in_conversation}</span><//>`}
      ${plan.hypothetical?.length ? html`<${Fact} name=${t("why.setting.hypothetical")}><span dir="auto">${plan.hypothetical.join(" ")}</span><//>` : ""}
      <${Fact} name=${t("why.setting.fusion")}>${paths.length > 1 ? fusion : t("why.one_path", { path: paths[0] ?? "–" })}<//>
      <${Fact} name=${t("why.duplicates_found")}>${count(duplicates)}<//>
      <${Fact} name=${t("options.rerank")}>
        ${options.rerank ? t("why.reranked", { count: options.rerank_top_n, weight: options.rerank_weight }) : t("options.rerank.off")}
      <//>
    </dl>
  `;
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

function Times({ timings }) {
  const { retrieve: total, ...steps } = timings;
  const known = Object.values(steps).reduce((sum, ms) => sum + ms, 0);
  const parts = Object.entries({ ...steps, other: Math.max(0, total - known) }).map(([name, ms]) => ({
    name: t(`why.step.${name}`),
    value: ms,
    text: milliseconds(ms),
  }));
  return html`<${Bar} title=${t("why.time", { time: milliseconds(total) })} parts=${parts} />`;
}

function Prompt({ prompt }) {
  if (!prompt?.messages.length) return null;
  const { style, messages, tokens, context_tokens: context, max_tokens: reserved } = prompt;
  const size = tokens ? t("why.tokens", { tokens: count(tokens), context: count(context), reserved: count(reserved) }) : "";
  return html`
    <details class="prompt">
      <summary>${t(`why.prompt.${style}`)} ${size && html`<span class="muted">${size}</span>`}</summary>
      ${style === "quoted" && html`<p class="muted">${t("why.quoted_hint")}</p>`}
      ${messages.map(
        (message) => html`
          <h4>${t(`why.role.${message.role}`)}</h4>
          <pre dir="auto" tabindex="0" role="group" aria-label=${t(`why.role.${message.role}`)}>${message.content}</pre>
        `,
      )}
    </details>
  `;
}
