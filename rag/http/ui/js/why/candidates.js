// The candidates of a search, each with its rank and score on each path and the reason why it is in the prompt or not.

import { noteAnswer, noteNoAnswer, useEvalSet } from "../evaluation/eval_set.js";
import { langOf } from "../language/lang.js";
import { fixed } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";

const SHOWN = 10;
const EXCERPT_CHARS = 160;
/** The line below the head of a Markdown table, which says nothing in an excerpt. */
const TABLE_RULES = /^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t:-]*$/gm;

export function Candidates({ result, other, otherName }) {
  const [isWhole, setIsWhole] = useState(false);
  const entries = useEvalSet();
  const { candidates, options } = result.found.explain;
  const noted = entries.find((entry) => entry.question === result.question);
  const best = bestScores(candidates);
  const names = new Map(candidates.map((each) => [each.chunk_id, each.hit ? t("why.hit", { hit: each.hit }) : each.filename]));
  const others = other?.found && new Map(other.found.explain.candidates.map((each) => [each.chunk_id, each.hit]));
  const documents = [...new Set(candidates.map((each) => each.filename))];
  const shown = isWhole ? candidates : candidates.slice(0, SHOWN);
  return html`
    <ol class="candidates" aria-label=${t("why.candidates")}>
      ${shown.map(
        (each) => html`
          <${Candidate}
            key=${each.chunk_id}
            candidate=${each}
            best=${best}
            reason=${reasonText(each, options, { source: each.source, original: names.get(each.duplicate_of) })}
            elsewhere=${others && placeElsewhere(otherName, others.get(each.chunk_id))}
            isNoted=${noted?.document === each.filename}
            onNote=${() => noteAnswer(result.question, result.history, each.filename, documents)}
          />
        `,
      )}
    </ol>
    <div class="actions">
      ${candidates.length > SHOWN &&
      html`<button type="button" aria-expanded=${isWhole} onClick=${() => setIsWhole(!isWhole)}>
        ${isWhole ? t("why.fewer") : t("why.all", { count: candidates.length })}
      </button>`}
      <button type="button" aria-pressed=${Boolean(noted?.unanswerable)} onClick=${() => noteNoAnswer(result.question, result.history)}>
        ${t("why.no_passage")}
      </button>
    </div>
    ${noted && html`<p class="muted" role="status">${t("set.noted")} <a href="#evaluation">${t("nav.evaluation")}</a></p>`}
  `;
}

const placeElsewhere = (name, hit) => (hit ? t("why.elsewhere", { name, place: hit }) : t("why.elsewhere_no_hit", { name }));

function Candidate({ candidate, best, reason, elsewhere, isNoted, onNote }) {
  const { filename, heading, page, text, paths, cosine, fused, rerank, score, hit, in_prompt: isIn } = candidate;
  const where = [heading.split(" > ").join(" › "), page && t("source.page", { page })].filter(Boolean).join(" · ");
  const start = Array.from(text.replace(TABLE_RULES, " ")).slice(0, EXCERPT_CHARS).join("");
  return html`
    <li class=${isIn ? "candidate in" : "candidate"}>
      <p class="head">
        <span class="badge">${hit ?? "–"}</span>
        <strong><bdi>${filename}</bdi></strong>
        ${where && html`<bdi class="muted">${where}</bdi>`}
      </p>
      <p class="reason"><span class=${isIn ? "tag in" : "tag"}>${reason}</span> ${elsewhere && html`<span class="muted">${elsewhere}</span>`}</p>
      <dl class="scores">
        ${Object.keys(best.paths).sort().map(
          (path) => html`<${Score} name=${path} value=${paths[path]?.score} best=${best.paths[path]} rank=${paths[path]?.rank} />`,
        )}
        ${!("dense" in paths) && cosine !== null && html`<${Score} name="cosine" value=${cosine} best=${1} />`}
        ${rerank !== null && html`<${Score} name=${t("why.fused")} value=${fused} best=${1} />`}
        ${rerank !== null && html`<${Score} name=${t("options.rerank")} value=${rerank} best=${1} />`}
        <${Score} name=${t("why.score")} value=${score} best=${1} />
      </dl>
      <details>
        <summary dir="auto" lang=${langOf(start)}>${start}${start.length < text.length ? "…" : ""}</summary>
        <p class="text" dir="auto" lang=${langOf(text)}>${text}</p>
      </details>
      <button type="button" class="small" title=${t("set.right_passage_hint")} aria-pressed=${isNoted} onClick=${onNote}>${t("set.right_passage")}</button>
    </li>
  `;
}

function Score({ name, value, best, rank }) {
  const share = value > 0 && best > 0 ? Math.min(1, value / best) : 0;
  return html`
    <div>
      <dt>${name}</dt>
      <dd>
        ${rank ? html`<span class="rank">${t("why.rank", { rank })}</span> ` : ""}${value === undefined ? t("why.not_found") : fixed(value)}
        <span class="meter" aria-hidden="true"><span style=${{ width: `${share * 100}%` }}></span></span>
      </dd>
    </div>
  `;
}

/** The best score on each path, which the bars are relative to. */
function bestScores(candidates) {
  const paths = {};
  for (const each of candidates) {
    for (const [path, { score }] of Object.entries(each.paths)) paths[path] = Math.max(paths[path] ?? 0, score);
  }
  return { paths };
}

function reasonText({ reason, hit }, options, places) {
  const limits = { top_n: options.rerank_top_n, top_k: options.top_k, least: options.min_cosine };
  return t(`why.reason.${reason}`, { ...places, ...limits, hit: hit ?? "" });
}
