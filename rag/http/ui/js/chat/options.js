// How questions are answered. What is left at its default is decided by the service.

import { models } from "../api/api.js";
import { t } from "../language/texts.js";
import { html, useEffect, useState } from "../shared/dom.js";
import { StoreSelect } from "../shared/store_select.js";
import { DEFAULT_OPTIONS } from "./conversations.js";
import { FilterRows } from "./filter_rows.js";

const STYLES = ["", "auto", "written", "quoted"];
const RERANK = ["", "on", "off"];
const CITATIONS = ["", "check", "verify"];
const isDefault = (name, value) => JSON.stringify(value) === JSON.stringify(DEFAULT_OPTIONS[name]);

export function Options({ options, onChange, stores }) {
  const set = (name) => (event) => onChange({ ...options, [name]: event.currentTarget.value });
  const adapters = useAdapters();
  const changed = Object.keys(DEFAULT_OPTIONS).filter((name) => !isDefault(name, options[name])).length;
  return html`
    <details class="options">
      <summary>${t("options.title")}${changed ? html` <span class="count">${changed}</span>` : ""}</summary>
      <div class="fields">
        <${StoreSelect} value=${options.store} stores=${stores} onChange=${(store) => onChange({ ...options, store })} />
        <${Choice} name="style" values=${STYLES} value=${options.style} onChange=${set("style")} />
        <${Choice} name="rerank" values=${RERANK} value=${options.rerank} onChange=${set("rerank")} />
        <${NumberField} name="topK" min="1" max="100" step="1" value=${options.topK} onChange=${set("topK")} />
        <${NumberField} name="temperature" min="0" max="2" step="0.1" value=${options.temperature} onChange=${set("temperature")} />
        <${Choice} name="citations" values=${CITATIONS} value=${options.citations} onChange=${set("citations")} />
        ${(adapters.length > 0 || options.model) &&
        html`<${ModelChoice} adapters=${adapters} value=${options.model} onChange=${set("model")} />`}
        <${FilterRows} rows=${options.filters} onChange=${(filters) => onChange({ ...options, filters })} />
        <button type="button" disabled=${!changed} onClick=${() => onChange(DEFAULT_OPTIONS)}>${t("options.reset")}</button>
      </div>
    </details>
  `;
}

/** The names of the served adapters. The choice is not offered if they cannot be listed. */
function useAdapters() {
  const [adapters, setAdapters] = useState([]);
  useEffect(() => {
    const chosen = (list) => list.filter((model) => model.kind === "adapter").map((model) => model.id);
    models().then((list) => setAdapters(chosen(list)), () => {});
  }, []);
  return adapters;
}

function ModelChoice({ adapters, value, onChange }) {
  const known = new Set(["", ...adapters, value]);
  return html`
    <label>
      <span>${t("options.model")}</span>
      <select value=${value} onChange=${onChange}>
        ${[...known].map((each) => html`<option value=${each} selected=${each === value}>${each || t("options.default")}</option>`)}
      </select>
    </label>
  `;
}

const Choice = ({ name, values, value, onChange }) => html`
  <label>
    <span>${t(`options.${name}`)}</span>
    <select value=${value} onChange=${onChange}>
      ${values.map(
        (each) => html`<option value=${each} selected=${each === value}>
          ${t(each ? `options.${name}.${each}` : "options.default")}
        </option>`,
      )}
    </select>
  </label>
`;

const NumberField = ({ name, min, max, step, value, onChange }) => html`
  <label>
    <span>${t(`options.${name}`)}</span>
    <input type="number" min=${min} max=${max} step=${step} value=${value} placeholder=${t("options.default")} onChange=${onChange} />
  </label>
`;
