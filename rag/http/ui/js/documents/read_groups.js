// The groups that may read a document: a field for an upload, and a form for a document.

import { setReadGroups } from "../api/api.js";
import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";

/** The groups in a text with one group a line; a name may contain commas. */
export const groupsIn = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** `text` has one group a line. */
export const GroupsField = ({ text, onChange, hint }) => html`
  <div class="groups">
    <label>
      <span>${t("groups.field")}</span>
      <textarea rows="2" dir="auto" value=${text} onInput=${(event) => onChange(event.currentTarget.value)}></textarea>
    </label>
    <p class="note">${hint}</p>
  </div>
`;

export function ReadGroups({ store, file, onChange }) {
  const [edited, setEdited] = useState(null);
  const [state, run, forget] = useAction();
  const isEdited = edited !== null;
  const cancel = () => {
    setEdited(null);
    forget();
  };
  const save = (event) => {
    event.preventDefault();
    run(async () => {
      onChange(await setReadGroups(store, file.id, groupsIn(edited)));
      setEdited(null);
    });
  };
  return html`
    <form class="attributes" aria-label=${t("groups.title")} onSubmit=${save}>
      <h3>${t("groups.title")}</h3>
      <${GroupsField} text=${edited ?? file.read_groups.join("\n")} onChange=${setEdited} hint=${t("groups.hint")} />
      ${isEdited &&
      html`<div class="actions">
        <button class="primary" disabled=${state.isBusy}>${t("attributes.save")}</button>
        <button type="button" onClick=${cancel}>${t("delete.cancel")}</button>
      </div>`}
      ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
    </form>
  `;
}
