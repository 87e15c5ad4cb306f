// Dialogs for an API key: its limits, and a new secret.

import { t } from "../language/texts.js";
import { Dialog } from "../shared/dialog.js";
import { html } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";
import { LimitFields, limitsIn } from "./key_limits.js";

/** For how many seconds the old secret is still accepted. */
const GRACES = { none: 0, hour: 3600, day: 86_400 };

export const LimitsDialog = (props) => html`
  <${KeyDialog} ...${props} title=${t("keys.limits_named", { name: props.keyObject.name })} button="attributes.save" valueOf=${limitsIn}>
    <${LimitFields} limits=${props.keyObject.limits} />
  <//>
`;

export const RotateDialog = (props) => html`
  <${KeyDialog}
    ...${props}
    title=${t("keys.rotate_named", { name: props.keyObject.name })}
    button="keys.rotate"
    valueOf=${(form) => GRACES[form.get("grace")]}
  >
    <label>
      <span>${t("keys.grace")}</span>
      <select name="grace">
        ${Object.keys(GRACES).map((name) => html`<option value=${name}>${t(`keys.grace.${name}`)}</option>`)}
      </select>
    </label>
  <//>
`;

/** `onSave(key, value)` is called with what `valueOf` finds in the form. */
function KeyDialog({ keyObject, title, button, valueOf, onSave, onClose, children }) {
  const [state, run] = useAction();
  const submit = (event) => {
    event.preventDefault();
    const value = valueOf(new FormData(event.currentTarget));
    run(async () => {
      await onSave(keyObject, value);
      onClose();
    });
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form onSubmit=${submit}>
        ${children}
        ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
        <div class="actions">
          <button type="button" onClick=${onClose}>${t("delete.cancel")}</button>
          <button class="primary" disabled=${state.isBusy}>${t(button)}</button>
        </div>
      </form>
    <//>
  `;
}
