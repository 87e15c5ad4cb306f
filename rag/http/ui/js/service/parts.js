// What the parts of the view "Service" share.

import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";

/** A refusal is not a failure: the key that is used lacks a scope, which the message names. */
export function Problem({ error }) {
  if (error.status === 401) return html`<p class="notice" role="note">${t("service.no_key")}</p>`;
  if (error.status === 403) return html`<p class="notice" role="note">${t("service.refused")} <bdi>${error.message}</bdi></p>`;
  return html`<p class="failure" role="alert"><bdi>${error.message}</bdi></p>`;
}

export function Table({ title, names, rows, none }) {
  if (!rows.length) return html`<p class="empty">${none}</p>`;
  return html`
    <div class="scroll" tabindex="0" role="group" aria-label=${title}>
      <table class="table">
        <thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${rows.map((row) => html`<tr key=${row.key}>${row.cells.map((cell, place) => (place ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`))}</tr>`)}
        </tbody>
      </table>
    </div>
  `;
}
