// Runs of `rag eval`, opened from files: tables with intervals, plots, and the comparison of two runs.

import "../language/view_texts.js";
import { dateTime } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html, useMemo, useRef, useState } from "../shared/dom.js";
import { differences, warnings } from "./comparison.js";
import { Differences } from "./differences.js";
import { readReport } from "./report.js";
import { Run } from "./run.js";
import { SetEditor } from "./set_editor.js";

export default function Evaluation({ isShown }) {
  const [runs, setRuns] = useState([]);
  const [errors, setErrors] = useState([]);
  const [shown, setShown] = useState(0);
  const [baseline, setBaseline] = useState(-1);
  const open = async (files) => {
    const results = await Promise.allSettled(files.map(readReport));
    const read = results.filter((each) => each.status === "fulfilled").map((each) => each.value);
    const all = [...runs, ...read].sort((one, other) => one.made.localeCompare(other.made));
    setErrors(results.filter((each) => each.status === "rejected").map((each) => each.reason.message));
    setRuns(all);
    setShown(Math.max(all.length - 1, 0));
    setBaseline(all.length > 1 ? all.length - 2 : -1);
  };
  return html`
    <div class="page evaluation">
      <section aria-labelledby="runs-title">
        <h2 id="runs-title">${t("eval.title")}</h2>
        <p class="muted">${t("eval.intro")}</p>
        <div class="actions">
          <${OpenButton} onFiles=${open} />
          ${runs.length > 0 && html`<button type="button" onClick=${() => setRuns([])}>${t("eval.close")}</button>`}
        </div>
        ${errors.map((message) => html`<p class="failure" role="alert"><bdi>${message}</bdi></p>`)}
        ${runs.length > 0 &&
        html`<div class="fields">
          <${RunSelect} title=${t("eval.run")} runs=${runs} value=${shown} onChange=${setShown} />
          <${RunSelect} title=${t("eval.baseline")} runs=${runs} value=${baseline} onChange=${setBaseline} isOptional=${true} />
        </div>`}
      </section>
      ${runs[shown] && runs[baseline] && shown !== baseline && html`<${Comparison} before=${runs[baseline]} after=${runs[shown]} />`}
      ${runs[shown] && html`<${Run} run=${runs[shown]} />`}
      <${SetEditor} isShown=${isShown} />
    </div>
  `;
}

function OpenButton({ onFiles }) {
  const input = useRef();
  const chosen = () => {
    onFiles([...input.current.files]);
    input.current.value = ""; // so that choosing the same file again is a change
  };
  return html`
    <input ref=${input} type="file" accept=".json,application/json" multiple hidden aria-label=${t("eval.open")} onChange=${chosen} />
    <button type="button" class="primary" onClick=${() => input.current.click()}>${t("eval.open")}</button>
  `;
}

function RunSelect({ title, runs, value, onChange, isOptional = false }) {
  return html`
    <label>
      <span>${title}</span>
      <select value=${value} onChange=${(event) => onChange(Number(event.currentTarget.value))}>
        ${isOptional && html`<option value="-1" selected=${value === -1}>${t("eval.no_baseline")}</option>`}
        ${runs.map((run, place) => html`<option value=${place} selected=${place === value}>${place + 1}. ${run.name} · ${dateTime(Date.parse(run.made) / 1000)}</option>`)}
      </select>
    </label>
  `;
}

function Comparison({ before, after }) {
  const found = useMemo(() => differences(before, after), [before, after]);
  const notes = useMemo(() => warnings(before, after), [before, after]);
  return html`<${Differences} before=${before} after=${after} found=${found} notes=${notes} />`;
}
