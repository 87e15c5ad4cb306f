// The attributes of a document, edited in place.

import { setAttributes } from "../api/api.js";
import { typed, untyped } from "../chat/filter_rows.js";
import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";

const rowsOf = (attributes) => Object.entries(attributes ?? {}).map(([key, value]) => ({ key, value: untyped(value) }));

export function Attributes({ store, file, onChange }) {
  const saved = rowsOf(file.attributes);
  const [edited, setEdited] = useState(null);
  const [state, run, forget] = useAction();
  const rows = edited ?? saved;
  const set = (at, changes) => setEdited(rows.map((row, place) => (place === at ? { ...row, ...changes } : row)));
  const cancel = () => {
    setEdited(null);
    forget();
  };
  const save = (event) => {
    event.preventDefault();
    run(async () => {
      const kept = rows.filter((row) => row.key.trim());
      onChange(await setAttributes(store, file.id, Object.fromEntries(kept.map((row) => [row.key.trim(), typed(row.value)]))));
      setEdited(null);
    });
  };
  return html`
    <form class="attributes" aria-label=${t("attributes.title")} onSubmit=${save}>
      <h3>${t("attributes.title")}</h3>
      ${!rows.length && html`<p class="note">${t("attributes.none")}</p>`}
      ${rows.map(
        (row, at) => html`
          <div class="attribute">
            <input aria-label=${t("filter.key")} value=${row.key} onInput=${(event) => set(at, { key: event.currentTarget.value })} />
            <input aria-label=${t("filter.value")} value=${row.value} onInput=${(event) => set(at, { value: event.currentTarget.value })} />
            <button type="button" class="icon" aria-label=${t("attributes.remove")} onClick=${() => setEdited(rows.filter((each) => each !== row))}>×</button>
          </div>
        `,
      )}
      <div class="actions">
        <button type="button" onClick=${() => setEdited([...rows, { key: "", value: "" }])}>${t("attributes.add")}</button>
        ${edited && html`<button class="primary" disabled=${state.isBusy}>${t("attributes.save")}</button>`}
        ${edited && html`<button type="button" onClick=${cancel}>${t("delete.cancel")}</button>`}
      </div>
      ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
    </form>
  `;
}
