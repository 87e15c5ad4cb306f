// Confirms that a document is deleted, and says what is lost.

import { t } from "../language/texts.js";
import { Dialog } from "../shared/dialog.js";
import { html, useState } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";

export function DeleteDialog({ file, store, onDelete, onClose }) {
  const [isEverywhere, setIsEverywhere] = useState(file.origin === "ingest");
  const [state, run] = useAction();
  return html`
    <${Dialog} title=${t("delete.title")} onClose=${onClose}>
      <p><bdi class="strong">${file.filename}</bdi></p>
      <p>${t("delete.lost", { count: file.chunks, store })}</p>
      <label class="check">
        <input type="checkbox" checked=${isEverywhere} onChange=${(event) => setIsEverywhere(event.currentTarget.checked)} />
        <span>${t("delete.everywhere")}</span>
      </label>
      ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
      <div class="actions">
        <button type="button" onClick=${onClose}>${t("delete.cancel")}</button>
        <button type="button" class="danger" disabled=${state.isBusy} onClick=${() => run(() => onDelete(file, isEverywhere))}>${t("chat.delete")}</button>
      </div>
    <//>
  `;
}
