// Saves a conversation as Markdown, for people, or as JSON, for programs.

import { t } from "../language/texts.js";
import { Dialog } from "../shared/dialog.js";
import { html } from "../shared/dom.js";
import { download } from "../shared/download.js";
import { conversationAsJson, conversationAsMarkdown } from "./conversations.js";

export function ExportDialog({ conversation, onClose }) {
  const save = (suffix, text, mediaType) => () => {
    download(`${conversation.title.slice(0, 40)}.${suffix}`, text, mediaType);
    onClose();
  };
  return html`
    <${Dialog} title=${t("export.title")} onClose=${onClose}>
      <p><bdi class="strong">${conversation.title}</bdi></p>
      <p>${t("export.text")}</p>
      <div class="actions">
        <button type="button" onClick=${onClose}>${t("delete.cancel")}</button>
        <button type="button" onClick=${save("json", conversationAsJson(conversation), "application/json")}>JSON</button>
        <button type="button" class="primary" onClick=${save("md", conversationAsMarkdown(conversation), "text/markdown")}>Markdown</button>
      </div>
    <//>
  `;
}
