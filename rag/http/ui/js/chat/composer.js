// The field for a question, with its options.

import { t } from "../language/texts.js";
import { html, useEffect, useRef } from "../shared/dom.js";
import { Options } from "./options.js";

export function Composer({ draft, onDraft, isRunning, isEditing, onCancelEdit, onAsk, onStop, options, onOptions, stores }) {
  const field = useRef();
  useEffect(() => {
    if (draft) field.current.focus();
  }, [draft]);
  const submit = (event) => {
    event.preventDefault();
    if (!isRunning && draft.trim()) onAsk(draft.trim());
  };
  const pressed = (event) => {
    // An Enter that ends the composition of a CJK character is not the end of the question.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`
    <form class="composer" onSubmit=${submit}>
      ${isEditing &&
      html`<p class="hint" role="status">
        ${t("chat.editing")} <button type="button" class="small" onClick=${onCancelEdit}>${t("delete.cancel")}</button>
      </p>`}
      <div class="field">
        <label class="sr-only" for="question">${t("chat.question")}</label>
        <textarea
          id="question"
          ref=${field}
          rows="1"
          dir="auto"
          placeholder=${t("chat.placeholder")}
          value=${draft}
          onInput=${(event) => onDraft(event.currentTarget.value)}
          onKeyDown=${pressed}
        ></textarea>
        ${isRunning
          ? html`<button type="button" class="stop" onClick=${onStop}>${t("chat.stop")}</button>`
          : html`<button class="primary" disabled=${!draft.trim()}>${t("chat.ask")}</button>`}
      </div>
      <${Options} options=${options} onChange=${onOptions} stores=${stores} />
    </form>
  `;
}
