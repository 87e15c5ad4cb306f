// Saves a conversation as Markdown, for people, or as JSON, for programs.

import { conversationAsJson, conversationAsMarkdown } from "./conversations.js";
import { download } from "./download.js";
import { html, useEffect, useRef } from "./dom.js";
import { t } from "./texts.js";

export function ExportDialog({ conversation, onClose }) {
  const dialog = useRef();
  useEffect(() => dialog.current.showModal(), []);
  const save = (suffix, text, mediaType) => () => {
    download(`${conversation.title.slice(0, 40)}.${suffix}`, text, mediaType);
    dialog.current.close();
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="export-title" onClose=${onClose}>
      <h2 id="export-title">${t("export.title")}</h2>
      <p><bdi class="strong">${conversation.title}</bdi></p>
      <p>${t("export.text")}</p>
      <div class="actions">
        <button type="button" onClick=${() => dialog.current.close()}>${t("delete.cancel")}</button>
        <button type="button" onClick=${save("json", conversationAsJson(conversation), "application/json")}>JSON</button>
        <button type="button" class="primary" onClick=${save("md", conversationAsMarkdown(conversation), "text/markdown")}>Markdown</button>
      </div>
    </dialog>
  `;
}
