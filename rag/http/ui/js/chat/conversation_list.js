// The list of conversations, with export.

import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";
import { ExportDialog } from "./export_dialog.js";

export function ConversationList({ chat }) {
  const [isOpen, setIsOpen] = useState(false);
  const [toExport, setToExport] = useState(null);
  const { conversations, current } = chat;
  const then = (action) => () => {
    action();
    setIsOpen(false);
  };
  return html`
    <aside class="conversations" aria-label=${t("chat.conversations")}>
      <div class="bar">
        <h2>${t("chat.conversations")}</h2>
        <button type="button" class="toggle" aria-expanded=${isOpen} onClick=${() => setIsOpen(!isOpen)}>
          ${t("chat.conversations")}
        </button>
        <button type="button" class="primary" onClick=${then(chat.startNew)}>${t("chat.new")}</button>
      </div>
      <ul class=${isOpen ? "open" : ""}>
        ${conversations.map(
          (each) => html`
            <li key=${each.id} class=${each === current ? "current" : ""}>
              <button
                type="button"
                class="title"
                title=${each.title}
                dir="auto"
                aria-current=${each === current ? "true" : null}
                onClick=${then(() => chat.open(each.id))}
              >
                <span>${each.title}</span>
              </button>
              <${Action} name="export" symbol="↓" title=${each.title} onClick=${() => setToExport(each)} />
              <${Action} name="delete" symbol="×" title=${each.title} onClick=${() => removed(chat, each)} />
            </li>
          `,
        )}
      </ul>
      ${toExport && html`<${ExportDialog} conversation=${toExport} onClose=${() => setToExport(null)} />`}
    </aside>
  `;
}

const Action = ({ name, symbol, title, onClick }) => html`
  <button
    type="button"
    class="icon"
    title=${t(`chat.${name}`)}
    aria-label=${t(`chat.${name}_named`, { title })}
    onClick=${onClick}
  >
    ${symbol}
  </button>
`;

function removed(chat, conversation) {
  if (confirm(t("chat.delete_confirm", { title: conversation.title }))) chat.remove(conversation.id);
}
