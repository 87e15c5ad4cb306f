// The documents of a vector store: upload, jobs, list, delete.

import { deleteFile, documents, removeDocument } from "../api/api.js";
import { loadOptions } from "../chat/conversations.js";
import { count } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html, useCallback, useEffect, useRef, useState } from "../shared/dom.js";
import { StoreSelect } from "../shared/store_select.js";
import { DeleteDialog } from "./delete_dialog.js";
import { DocumentTable } from "./document_table.js";
import { Jobs } from "./jobs.js";
import { Reindexing } from "./reindexing.js";
import { Uploader } from "./uploader.js";

const SORTS = {
  newest: { sort: "created_at", order: "desc" },
  oldest: { sort: "created_at", order: "asc" },
  name: { sort: "filename", order: "asc" },
  name_down: { sort: "filename", order: "desc" },
};
const SEARCH_AFTER_MS = 300;

export function Documents({ stores, isShown, onChange }) {
  const [store, setStore] = useState(() => loadOptions().store);
  const [toDelete, setToDelete] = useState(null);
  const [name, setName] = useState("");
  const [sort, setSort] = useState("newest");
  const [accepted, setAccepted] = useState(0);
  const jobBegan = () => setAccepted((count) => count + 1);
  const list = useDocuments(store, name, sort);
  const current = stores.list.find((each) => each.id === store);
  useEffect(() => {
    if (isShown) list.reload();
  }, [isShown, store, stores, name, sort, accepted]);
  const remove = async (file, isEverywhere) => {
    await (isEverywhere ? deleteFile(file.id) : removeDocument(store, file.id));
    list.drop(file.id);
    setToDelete(null);
    onChange();
  };
  return html`
    <div class="documents">
      <div class="heading">
        <div class="title">
          <h2>${t("nav.documents")}</h2>
          ${current && html`<span class="note">${t("documents.count", { count: current.file_counts.total, number: count(current.file_counts.total) })}</span>`}
        </div>
        <${StoreSelect} value=${store} stores=${stores} onChange=${setStore} />
      </div>
      <${Uploader} store=${store} onAccepted=${jobBegan} />
      <${Jobs} key=${store} store=${store} isShown=${isShown} changes=${accepted} onEnded=${onChange} />
      <div class="heading">
        <${Search} onChange=${setName} />
        <${SortChoice} value=${sort} onChange=${setSort} />
      </div>
      ${list.error &&
      html`<div class="failure" role="alert">
        <p>${list.error.message}</p>
        <button type="button" onClick=${list.reload}>${t("chat.retry")}</button>
      </div>`}
      <${DocumentTable} store=${store} files=${list.files} isLoaded=${list.isLoaded} isSearch=${name !== ""} onDelete=${setToDelete} />
      ${list.hasMore &&
      html`<button type="button" disabled=${list.isLoading} onClick=${list.more}>${t("documents.more")}</button>`}
      <${Reindexing} key=${store} store=${store} stores=${stores} onStarted=${jobBegan} />
      ${toDelete &&
      html`<${DeleteDialog} file=${toDelete} store=${current?.name || store} onDelete=${remove} onClose=${() => setToDelete(null)} />`}
    </div>
  `;
}

/** Calls `onChange` a moment after the last key. */
function Search({ onChange }) {
  const timer = useRef(0);
  const typed = ({ currentTarget }) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(currentTarget.value.trim()), SEARCH_AFTER_MS);
  };
  return html`<label><span>${t("documents.search")}</span><input type="search" onInput=${typed} /></label>`;
}

const SortChoice = ({ value, onChange }) => html`
  <label>
    <span>${t("documents.sort")}</span>
    <select onChange=${(event) => onChange(event.currentTarget.value)}>
      ${Object.keys(SORTS).map(
        (each) => html`<option value=${each} selected=${each === value}>${t(`documents.sort.${each}`)}</option>`,
      )}
    </select>
  </label>
`;

const NOTHING = { files: [], hasMore: false, isLoading: false, isLoaded: false, error: null };

/** The documents of a store, page by page; `name` is a part of their names. */
function useDocuments(store, name, sort) {
  const [list, setList] = useState(NOTHING);
  const latest = useRef(0);
  const load = useCallback(
    async (known) => {
      const request = ++latest.current;
      setList((before) => ({ ...before, isLoading: true, error: null }));
      try {
        const page = await documents(store, known.at(-1)?.id, { name, ...SORTS[sort] });
        if (request !== latest.current) return; // a later request has taken over
        setList({ ...NOTHING, files: [...known, ...page.data], hasMore: page.has_more, isLoaded: true });
      } catch (error) {
        if (request === latest.current) setList((before) => ({ ...before, isLoading: false, error }));
      }
    },
    [store, name, sort],
  );
  return {
    ...list,
    reload: () => load([]),
    more: () => load(list.files),
    drop: (id) => setList((before) => ({ ...before, files: before.files.filter((file) => file.id !== id) })),
  };
}
