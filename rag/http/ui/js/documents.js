// The documents of a vector store: upload, list, delete.

import { deleteFile, documents, removeDocument } from "./api.js";
import { DeleteDialog } from "./delete_dialog.js";
import { DocumentTable } from "./document_table.js";
import { html, useCallback, useEffect, useRef, useState } from "./dom.js";
import { loadOptions } from "./conversations.js";
import { StoreSelect } from "./store_select.js";
import { t } from "./texts.js";
import { Uploader } from "./uploader.js";

export function Documents({ stores, isShown, onChange }) {
  const [store, setStore] = useState(() => loadOptions().store);
  const [toDelete, setToDelete] = useState(null);
  const list = useDocuments(store);
  useEffect(() => {
    if (isShown) list.reload();
  }, [isShown, store, stores]);
  const remove = async (file, isEverywhere) => {
    await (isEverywhere ? deleteFile(file.id) : removeDocument(store, file.id));
    list.drop(file.id);
    setToDelete(null);
  };
  return html`
    <div class="documents">
      <div class="heading">
        <h2>${t("documents.title")}</h2>
        <${StoreSelect} value=${store} stores=${stores} onChange=${setStore} />
      </div>
      <${Uploader} store=${store} onUploaded=${onChange} />
      ${list.error &&
      html`<div class="failure" role="alert">
        <p>${list.error.message}</p>
        <button type="button" onClick=${list.reload}>${t("chat.retry")}</button>
      </div>`}
      <${DocumentTable} files=${list.files} isLoaded=${list.isLoaded} onDelete=${setToDelete} />
      ${list.hasMore &&
      html`<button type="button" disabled=${list.isLoading} onClick=${list.more}>${t("documents.more")}</button>`}
      ${toDelete &&
      html`<${DeleteDialog} file=${toDelete} store=${store} onDelete=${remove} onClose=${() => setToDelete(null)} />`}
    </div>
  `;
}

const NOTHING = { files: [], hasMore: false, isLoading: false, isLoaded: false, error: null };

/** The documents of a store, page by page. */
function useDocuments(store) {
  const [list, setList] = useState(NOTHING);
  const latest = useRef(0);
  const load = useCallback(
    async (known) => {
      const request = ++latest.current;
      setList((before) => ({ ...before, isLoading: true, error: null }));
      try {
        const page = await documents(store, known.at(-1)?.id);
        if (request !== latest.current) return; // a later request has taken over
        setList({ ...NOTHING, files: [...known, ...page.data], hasMore: page.has_more, isLoaded: true });
      } catch (error) {
        if (request === latest.current) setList((before) => ({ ...before, isLoading: false, error }));
      }
    },
    [store],
  );
  return {
    ...list,
    reload: () => load([]),
    more: () => load(list.files),
    drop: (id) => setList((before) => ({ ...before, files: before.files.filter((file) => file.id !== id) })),
  };
}
