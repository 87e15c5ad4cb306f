// The evaluation set that the reader makes, from conversations and from the view "Why".

import { loadConversations } from "../chat/conversations.js";
import { t } from "../language/texts.js";
import { html, useState } from "../shared/dom.js";
import { download } from "../shared/download.js";
import { asQuestions, chooseDocument, noteConversation, removeAll, removeEntry, useEvalSet } from "./eval_set.js";

export function SetEditor({ isShown }) {
  const entries = useEvalSet();
  return html`
    <section aria-labelledby="set-title">
      <h2 id="set-title">${t("set.title")}</h2>
      <p class="muted">${t("set.intro")}</p>
      <${FromConversation} key=${isShown} />
      ${!entries.length && html`<p class="empty">${t("set.none")}</p>`}
      ${entries.length > 0 &&
      html`
        <ul class="entries" aria-label=${t("set.title")}>
          ${entries.map((entry) => html`<${Entry} key=${entry.question} entry=${entry} />`)}
        </ul>
        <div class="actions">
          <button type="button" class="primary" onClick=${() => download("qa.jsonl", asQuestions(entries), "application/x-ndjson")}>
            ${t("set.download")}
          </button>
          <button type="button" onClick=${() => confirm(t("set.clear_confirm")) && removeAll()}>${t("set.clear")}</button>
        </div>
      `}
    </section>
  `;
}

function FromConversation() {
  const [conversations] = useState(loadConversations);
  const [chosen, setChosen] = useState(0);
  if (!conversations.length) return null;
  return html`
    <div class="fields">
      <label>
        <span>${t("chat.conversation")}</span>
        <select value=${chosen} onChange=${(event) => setChosen(Number(event.currentTarget.value))}>
          ${conversations.map((each, place) => html`<option value=${place} selected=${place === chosen}>${each.title}</option>`)}
        </select>
      </label>
      <button type="button" onClick=${() => noteConversation(conversations[chosen])}>${t("set.add_conversation")}</button>
    </div>
  `;
}

function Entry({ entry }) {
  const names = [...new Set([entry.document, ...entry.documents])].filter(Boolean);
  return html`
    <li>
      <span dir="auto">${entry.question}</span>
      <label>
        <span class="sr-only">${t("set.document", { question: entry.question })}</span>
        <select value=${entry.document} onChange=${(event) => chooseDocument(entry, event.currentTarget.value)}>
          <option value="" selected=${!entry.document}>${t("set.unanswerable")}</option>
          ${names.map((name) => html`<option value=${name} selected=${name === entry.document}>${name}</option>`)}
        </select>
      </label>
      <button type="button" class="icon" aria-label=${t("set.remove", { question: entry.question })} onClick=${() => removeEntry(entry)}>×</button>
    </li>
  `;
}
