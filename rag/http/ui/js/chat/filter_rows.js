// Filters by the attributes of documents, as rows of key, comparison and value.

import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";

const COMPARISONS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"];
const NEW = { key: "", type: "eq", value: "" };

export function FilterRows({ rows, onChange }) {
  const set = (at, changes) => onChange(rows.map((row, place) => (place === at ? { ...row, ...changes } : row)));
  return html`
    <fieldset class="filters">
      <legend>${t("filter.title")}</legend>
      ${rows.map(
        (row, at) => html`
          <div class="filter">
            <input
              aria-label=${t("filter.key")}
              placeholder=${t("filter.key")}
              list="filter-keys"
              value=${row.key}
              onInput=${(event) => set(at, { key: event.currentTarget.value })}
            />
            <select aria-label=${t("filter.comparison")} onChange=${(event) => set(at, { type: event.currentTarget.value })}>
              ${COMPARISONS.map(
                (each) => html`<option value=${each} selected=${each === row.type}>${t(`filter.${each}`)}</option>`,
              )}
            </select>
            <input
              aria-label=${t("filter.value")}
              placeholder=${t(isList(row) ? "filter.values" : "filter.value")}
              value=${row.value}
              onInput=${(event) => set(at, { value: event.currentTarget.value })}
            />
            <button type="button" class="icon" aria-label=${t("filter.remove")} onClick=${() => onChange(rows.filter((each) => each !== row))}>×</button>
          </div>
        `,
      )}
      <button type="button" onClick=${() => onChange([...rows, NEW])}>${t("filter.add")}</button>
      <datalist id="filter-keys">${["filename", "language"].map((key) => html`<option value=${key} />`)}</datalist>
    </fieldset>
  `;
}

const isList = (row) => row.type === "in" || row.type === "nin";

/** The filter that a request gets: all rows must match. Rows without a key or value are left out. Null for none. */
export function filterOf(rows) {
  const filters = rows
    .map((row) => ({ ...row, key: row.key.trim() }))
    .filter((row) => row.key && row.value.trim())
    .map((row) => ({ type: row.type, key: row.key, value: isList(row) ? listOf(row.value) : typed(row.value) }));
  if (filters.length < 2) return filters[0] ?? null;
  return { type: "and", filters };
}

const listOf = (text) => text.split(",").filter((each) => each.trim()).map(typed);

/** Attributes have types: `5` is a number, `true` a truth value, and `"5"` in quotation marks a text. */
export function typed(text) {
  const value = text.trim();
  if (/^".*"$/s.test(value)) return value.slice(1, -1);
  if (value === "true" || value === "false") return value === "true";
  return /^-?\d+(?:\.\d+)?$/.test(value) && Number.isFinite(Number(value)) ? Number(value) : value;
}

/** How `typed` reads an attribute back. */
export const untyped = (value) => (typeof value === "string" && typed(value) !== value ? `"${value}"` : String(value));
