import { t } from "../language/texts.js";
import { html } from "./dom.js";

/** A choice among the vector stores. */
export function StoreSelect({ value, stores, onChange }) {
  const known = stores.list.some((store) => store.id === value);
  return html`
    <label>
      <span>${t("options.store")}</span>
      <select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
        ${!known && html`<option value=${value} selected>${value}</option>`}
        ${stores.list.map(
          (store) => html`<option value=${store.id} selected=${store.id === value}>${store.name || store.id}</option>`,
        )}
      </select>
    </label>
  `;
}
