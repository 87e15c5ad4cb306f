// The comparison of two runs: a table of the metrics, and the questions that got worse with what they found.

import { count, fixed } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";
import { settingsOf } from "../why/settings.js";
import { addressOf, EMPTY } from "../why/state.js";
import { worse } from "./comparison.js";

const SHOWN = 20;

export function Differences({ before, after, found, notes }) {
  const [choice, setChoice] = useState(-1);
  const chosen = choice in found ? choice : firstWithLosses(before, after, found);
  const losses = found.filter((each) => each.isLoss).length;
  return html`
    <section aria-labelledby="comparison-title">
      <h2 id="comparison-title">${t("eval.comparison")}</h2>
      ${notes.map((note) => html`<p class="notice"><bdi>${note}</bdi></p>`)}
      ${!found.length && html`<p class="notice">${t("eval.nothing_common")}</p>`}
      ${found.length > 0 &&
      html`
        <p role="status"><strong>${t(losses ? "eval.losses" : "eval.no_loss", { count: losses })}</strong></p>
        <div class="scroll" tabindex="0" role="group" aria-label=${t("eval.comparison")}>
          <table class="table">
            <thead>
              <tr>
                ${["set", "config", "metric", "before", "after", "change", "p", "n"].map((name) => html`<th scope="col">${t(`eval.${name}`)}</th>`)}
              </tr>
            </thead>
            <tbody>
              ${found.map(
                (each) => html`
                  <tr class=${each.isLoss ? "loss" : ""}>
                    <td><bdi>${each.set}</bdi></td>
                    <td><bdi>${each.config}</bdi></td>
                    <th scope="row" class="number">${each.metric}</th>
                    <td class="number">${fixed(each.before)}</td>
                    <td class="number">${fixed(each.after)}</td>
                    <td class="number">${signed(each.after - each.before)}${each.isLoss ? html` <span class="tag bad">${t("eval.loss")}</span>` : ""}</td>
                    <td class="number">${fixed(each.p)}</td>
                    <td class="number">${count(each.n)}</td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>
        <h3>${t("eval.worse")}</h3>
        <label>
          <span>${t("eval.metric")}</span>
          <select value=${chosen} onChange=${(event) => setChoice(Number(event.currentTarget.value))}>
            ${found.map((each, place) => html`<option value=${place} selected=${place === chosen}>${each.set} · ${each.config} · ${each.metric}</option>`)}
          </select>
        </label>
        <${Worse} queries=${worse(before, after, found[chosen])} />
      `}
    </section>
  `;
}

/** The place of the first metric in which a question got worse: the one to look at. */
const firstWithLosses = (before, after, found) => Math.max(found.findIndex((each) => worse(before, after, each).length > 0), 0);

const signed = (value) => (value > 0 ? "+" : "") + fixed(value);

function Worse({ queries }) {
  if (!queries.length) return html`<p class="muted">${t("eval.none_worse")}</p>`;
  return html`
    <ul class="worse">
      ${queries.slice(0, SHOWN).map(
        (query) => html`
          <li key=${query.id}>
            <details>
              <summary><span dir="auto">${query.text}</span> <span class="tag bad">${fixed(query.before)} → ${fixed(query.after)}</span></summary>
              ${query.relevant.length > 0 && html`<p class="muted">${t("eval.relevant")} <bdi>${query.relevant.join(", ")}</bdi></p>`}
              <div class="columns two">
                ${["before", "after"].map((when, place) => html`<${Found} title=${t(`eval.${when}`)} hits=${query.found[place]} given=${query.given[place]} relevant=${query.relevant} />`)}
              </div>
              <a href=${whyAddress(query)}>${t("eval.open_why")}</a>
            </details>
          </li>
        `,
      )}
    </ul>
    ${queries.length > SHOWN && html`<p class="muted">${t("eval.more_worse", { count: queries.length - SHOWN })}</p>`}
  `;
}

function Found({ title, hits, given, relevant }) {
  return html`
    <div>
      <h4>${title}</h4>
      ${given && html`<p dir="auto">${given.text}</p>`}
      ${!hits && !given && html`<p class="muted">${t("eval.no_passages")}</p>`}
      ${hits &&
      html`<ol class="passages">
        ${hits.map(
          (hit) => html`<li class=${relevant.includes(hit.document) ? "right" : ""}>
            <strong><bdi>${hit.document}</bdi></strong>
            ${relevant.includes(hit.document) ? html` <span class="tag in">${t("eval.right")}</span>` : ""}
            <p dir="auto">${hit.text}</p>
          </li>`,
        )}
      </ol>`}
    </div>
  `;
}

/** The search as the service does it now, in the set's vector store. */
function whyAddress({ text, store, request }) {
  const { mode, rerank, top_k, filters, retrieval } = request;
  return addressOf({
    ...EMPTY,
    question: text,
    store,
    filters: filters ? JSON.stringify(filters) : "",
    first: settingsOf({ ...retrieval, ...Object.fromEntries(Object.entries({ mode, rerank, top_k }).filter(([, value]) => value !== undefined)) }),
  });
}
