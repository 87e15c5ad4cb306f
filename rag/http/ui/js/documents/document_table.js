import { errorText } from "../language/errors.js";
import { langOf } from "../language/lang.js";
import { readableBytes } from "../language/numbers.js";
import { warningTexts } from "../language/sent_texts.js";
import { locale, t } from "../language/texts.js";
import { html } from "../shared/dom.js";
import { documentAddress } from "../sources/address.js";

const COLUMNS = ["name", "status", "passages", "size", "added"];

/** A row for each document, with what was not read of it. */
export function DocumentTable({ store, files, isLoaded, isSearch, onDelete }) {
  if (!files.length) return isLoaded ? html`<p class="empty">${t(isSearch ? "documents.none_found" : "documents.none")}</p>` : null;
  return html`
    <table class="files">
      <thead>
        <tr>
          ${COLUMNS.map((name) => html`<th scope="col" class=${name}>${t(`documents.${name}`)}</th>`)}
          <th scope="col"><span class="sr-only">${t("chat.delete")}</span></th>
        </tr>
      </thead>
      <tbody>
        ${files.map((file) => html`<${Row} key=${file.id} store=${store} file=${file} onDelete=${onDelete} />`)}
      </tbody>
    </table>
  `;
}

function Row({ store, file, onDelete }) {
  return html`
    <tr>
      <th scope="row" class="name"><a href=${documentAddress(store, file.id)}><bdi lang=${langOf(file.filename)}>${file.filename}</bdi></a><${Problems} file=${file} /></th>
      <td class="status"><span class=${`state ${file.status}`}>${t(`documents.status.${file.status}`)}</span></td>
      <td class="passages">${file.chunks}</td>
      <td class="size">${readableBytes(file.bytes)}</td>
      <td class="added">${new Date(file.created_at * 1000).toLocaleDateString(locale)}</td>
      <td class="action">
        <button type="button" aria-label=${t("documents.delete_named", { name: file.filename })} onClick=${() => onDelete(file)}>
          ${t("chat.delete")}
        </button>
      </td>
    </tr>
  `;
}

export function Problems({ file }) {
  return html`
    ${file.last_error && html`<p class="problem error" dir="auto">${errorText(file.last_error)}</p>`}
    ${warningTexts(file).map((warning) => html`<p class="problem" dir="auto">${warning}</p>`)}
  `;
}
