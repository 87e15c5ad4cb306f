// The list of API keys, with what can be done with each.

import { dateTime } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { limitTexts } from "./key_limits.js";
import { Table } from "./parts.js";

const COLUMNS = ["name", "prefix", "tenant", "scopes", "limits", "status", "last_used", "expires", "actions"];

/** `actions` are functions of a key by name. */
export function KeyTable({ keys, none, actions }) {
  const rows = keys.map((key) => ({
    key: key.id,
    cells: [
      html`<bdi>${key.name}</bdi>`,
      html`<code>${key.prefix}…</code>`,
      html`<bdi>${key.tenant}</bdi>`,
      key.scopes.join(", "),
      html`<${Limits} limits=${key.limits} />`,
      t(`keys.status.${key.status}`),
      html`<span class="number">${dateTime(key.last_used_at)}</span>`,
      html`<span class="number">${dateTime(key.expires_at)}</span>`,
      key.status === "active" && html`<${Actions} apiKey=${key} actions=${actions} />`,
    ],
  }));
  return html`<${Table} title=${t("keys.title")} names=${COLUMNS.map((name) => t(`keys.${name}`))} rows=${rows} none=${none} />`;
}

function Limits({ limits }) {
  const texts = limitTexts(limits);
  return texts.length ? html`<ul>${texts.map((text) => html`<li>${text}</li>`)}</ul>` : t("keys.no_limit");
}

const Actions = ({ apiKey, actions }) => html`
  <div class="actions">
    ${Object.entries(actions).map(
      ([name, act]) => html`
        <button
          type="button"
          class=${name === "revoke" ? "small danger" : "small"}
          aria-label=${t(`keys.${name}_named`, { name: apiKey.name })}
          onClick=${() => act(apiKey)}
        >
          ${t(`keys.${name}`)}
        </button>
      `,
    )}
  </div>
`;
