// One run: for each set a table of means with their intervals, the same as a plot, and the abstention curves.

import { count, dateTime, fixed, milliseconds } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { Curves, Intervals } from "../shared/plots.js";

export function Run({ run }) {
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`);
  return html`
    <section aria-labelledby="run-title">
      <h2 id="run-title"><bdi>${run.name}</bdi></h2>
      <p class="muted">${dateTime(Date.parse(run.made) / 1000)} · ${versions.join(", ")}</p>
      ${run.sets.map((set) => html`<${Measured} key=${set.name} set=${set} />`)}
    </section>
  `;
}

function Measured({ set }) {
  return html`
    <article class="measured">
      <h3><bdi>${set.name}</bdi></h3>
      <p class="muted">
        ${t("eval.size", { documents: count(set.documents), queries: count(set.queries), questions: count(set.questions) })}
      </p>
      ${["retrieval", "answers"].map((part) => html`<${Part} set=${set} part=${part} />`)}
      <div class="columns two">
        ${["abstention", "confidence"].map((curve) => html`<${Threshold} set=${set} curve=${curve} />`)}
      </div>
    </article>
  `;
}

function Part({ set, part }) {
  const configs = set.configs.filter((config) => config.parts[part]);
  if (!configs.length) return null;
  const metrics = [...new Set(configs.flatMap((config) => Object.keys(config.parts[part].metrics)))];
  const names = configs.map((config) => config.name);
  const rows = metrics.flatMap((metric) =>
    configs
      .map(({ name, parts }) => ({ group: name, ...parts[part].metrics[metric] }))
      .filter((row) => Number.isFinite(row.value))
      .map((row, place) => ({ name: place ? "" : metric, ...row })),
  );
  return html`
    <h4>${t(`eval.part.${part}`)}</h4>
    <div class="scroll" tabindex="0" role="group" aria-label=${t(`eval.part.${part}`)}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">${t("eval.config")}</th>
            ${metrics.map((metric) => html`<th scope="col">${metric}</th>`)}
            <th scope="col">p50</th>
            <th scope="col">p95</th>
          </tr>
        </thead>
        <tbody>
          ${configs.map(({ name, parts: { [part]: found } }) => html`
            <tr>
              <th scope="row"><bdi>${name}</bdi></th>
              ${metrics.map((metric) => html`<td class="number"><${Mean} mean=${found.metrics[metric]} /></td>`)}
              <td class="number">${milliseconds(found.latency.p50)}</td>
              <td class="number">${milliseconds(found.latency.p95)}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </div>
    ${rows.length > 0 && html`<${Intervals} rows=${rows} groups=${names} />`}
  `;
}

const Mean = ({ mean }) => (mean ? html`${fixed(mean.value)} <small class="muted">${fixed(mean.low)}–${fixed(mean.high)}</small>` : fixed(NaN));

/** What each value of a threshold would do to answerable and unanswerable questions. */
function Threshold({ set, curve }) {
  return set.configs
    .filter((config) => config.curves[curve])
    .map(({ name, curves: { [curve]: { points, auroc, best } } }) => {
      const lines = [
        { name: t("eval.abstained"), points: points.map(([x, y]) => [x, y]) },
        { name: t("eval.answered"), points: points.map(([x, , y]) => [x, y]) },
      ];
      return html`
        <figure class="threshold">
          <figcaption>
            ${t(`eval.curve.${curve}`)} · <bdi>${name}</bdi> · ${t("eval.best", { threshold: fixed(best, 2), auroc: fixed(auroc, 2) })}
          </figcaption>
          <${Curves} lines=${lines} at=${Number.isFinite(best) ? best : undefined} xName=${t("eval.threshold")} />
        </figure>
      `;
    });
}
