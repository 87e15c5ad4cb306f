// The settings of a search. What is left empty is decided by the vector store or the service.

import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";

const BOOLEAN = ["true", "false"];

/** By the names of the API: `style`, and the fields of `retrieval`. A dot separates `weights` and the name of a path. */
export const SETTINGS = [
  { name: "style", values: ["auto", "written", "quoted"], isMain: true },
  { name: "mode", values: ["hybrid", "dense", "keyword", "sparse"], isMain: true },
  { name: "top_k", min: 1, max: 100, isMain: true },
  { name: "min_cosine", min: -1, max: 1, step: "any", isMain: true },
  { name: "rerank", values: BOOLEAN, isMain: true },
  { name: "rerank_top_n", min: 1, max: 200 },
  { name: "rerank_weight", min: 0, max: 1, step: "any" },
  { name: "candidates", min: 1, max: 1000 },
  { name: "fusion", values: ["weights", "rrf"] },
  { name: "weights.dense", min: 0, max: 1000, step: "any" },
  { name: "weights.keyword", min: 0, max: 1000, step: "any" },
  { name: "weights.sparse", min: 0, max: 1000, step: "any" },
  { name: "rrf_k", min: 1, max: 1000 },
  { name: "duplicates", min: 0, max: 1, step: "any" },
  { name: "rewrite", values: BOOLEAN },
  { name: "queries", min: 0, max: 5 },
  { name: "hypothetical", values: BOOLEAN },
];

/** The field `retrieval` of a request with these settings. */
export function retrievalOf(chosen) {
  const retrieval = {};
  for (const { name, values } of SETTINGS) {
    if (name === "style" || (chosen[name] ?? "") === "") continue;
    const value = values === BOOLEAN ? chosen[name] === "true" : values ? chosen[name] : Number(chosen[name]);
    const [field, path] = name.split(".");
    if (path) (retrieval[field] ??= {})[path] = value;
    else retrieval[field] = value;
  }
  return retrieval;
}

/** The settings among values by the names of the API, such as those of a field `retrieval`. */
export function settingsOf(values) {
  const entries = SETTINGS.map(({ name }) => [name, valueIn(values, name)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
}

/** The value of a setting among values by the names of the API. Paths that have no weight have 1. */
function valueIn(options, name) {
  const [field, path] = name.split(".");
  return path ? options[field] && (options[field][path] ?? 1) : options[field];
}

/** Args: `effective` are the values of the last search, shown where nothing is chosen. */
export function Settings({ title, chosen, effective, onChange }) {
  const field = (setting) => html`
    <${Field}
      key=${setting.name}
      setting=${setting}
      value=${chosen[setting.name] ?? ""}
      otherwise=${effective && valueIn(effective, setting.name)}
      onChange=${(value) => onChange({ ...chosen, [setting.name]: value })}
    />
  `;
  const more = SETTINGS.filter((setting) => !setting.isMain);
  const changed = more.filter(({ name }) => chosen[name]).length;
  return html`
    <fieldset class="settings">
      <legend>${title}</legend>
      <div class="fields">${SETTINGS.filter((setting) => setting.isMain).map(field)}</div>
      <details>
        <summary>${t("why.more_settings")}${changed ? html` <span class="count">${changed}</span>` : ""}</summary>
        <div class="fields">${more.map(field)}</div>
      </details>
    </fieldset>
  `;
}

function Field({ setting: { name, values, min, max, step = 1 }, value, otherwise, onChange }) {
  const usual = otherwise === undefined ? t("options.default") : t("why.default", { value: valueText(name, otherwise) });
  const changed = (event) => onChange(event.currentTarget.value);
  return html`
    <label>
      <span>${t(`why.setting.${name}`)}</span>
      ${values
        ? html`<select value=${value} onChange=${changed}>
            <option value="" selected=${value === ""}>${usual}</option>
            ${values.map((each) => html`<option value=${each} selected=${each === value}>${valueText(name, each)}</option>`)}
          </select>`
        : html`<input type="number" min=${min} max=${max} step=${step} value=${value} placeholder=${usual} onInput=${changed} />`}
    </label>
  `;
}

function valueText(name, value) {
  if (String(value) === "true") return t("options.rerank.on");
  if (String(value) === "false") return t("options.rerank.off");
  if (name === "style") return t(`options.style.${value}`);
  return name === "mode" || name === "fusion" ? t(`why.value.${value}`) : String(value);
}
