// Uploads by button or by drag and drop.

import { ingest } from "../api/api.js";
import { droppedFiles, nameOf } from "../api/chosen_files.js";
import { t } from "../language/texts.js";
import { html, useEffect, useRef, useState } from "../shared/dom.js";
import { GroupsField, groupsIn } from "./read_groups.js";
import { isFinished, UploadList } from "./upload_list.js";
import { UploadQueue } from "./uploads.js";

/** `onAccepted` is called when jobs may have begun or ended. */
export function Uploader({ store, onAccepted }) {
  const [uploads, setUploads] = useState([]);
  const [groups, setGroups] = useState("");
  const [isOver, setIsOver] = useState(false);
  const count = useRef(0);
  const queue = useRef(null);
  queue.current ??= new UploadQueue((changes) =>
    setUploads((all) => all.map((each) => (changes.has(each.file) ? { ...each, ...changes.get(each.file) } : each))),
  );
  const processing = uploads.filter((each) => each.state === "processing").length;
  useEffect(() => void (uploads.length && onAccepted()), [processing]);
  const start = (files) => {
    const added = files.map((file) => ({ file, key: ++count.current, name: nameOf(file), store, state: "waiting", sent: 0 }));
    setUploads((all) => [...all.filter((each) => !files.includes(each.file)), ...added]);
    const readGroups = groupsIn(groups);
    queue.current.add(files, (some, options) => ingest(store, some, readGroups, options));
  };
  const drop = async (event) => {
    event.preventDefault();
    setIsOver(false);
    start(await droppedFiles(event.dataTransfer));
  };
  const over = (event) => {
    event.preventDefault();
    setIsOver(true);
  };
  return html`
    <section
      class=${isOver ? "uploader over" : "uploader"}
      aria-label=${t("chat.add_documents")}
      onDrop=${drop}
      onDragOver=${over}
      onDragLeave=${() => setIsOver(false)}
    >
      <p>${t("upload.drop")}</p>
      <div class="actions">
        <${FileButton} text=${t("upload.files")} onFiles=${start} className="primary" />
        <${FileButton} text=${t("upload.folder")} onFiles=${start} isFolder=${true} />
      </div>
      <details>
        <summary>${t("groups.title")}</summary>
        <${GroupsField} text=${groups} onChange=${setGroups} hint=${t("groups.upload_hint")} />
      </details>
    </section>
    <${UploadList}
      uploads=${uploads}
      onCancel=${() => queue.current.cancel()}
      onRetry=${() => start(uploads.filter((each) => each.isUnsent && each.store === store).map((each) => each.file))}
      onClear=${() => setUploads(uploads.filter((each) => !isFinished(each)))}
    />
  `;
}

function FileButton({ text, onFiles, isFolder = false, className = "" }) {
  const input = useRef();
  const chosen = () => {
    onFiles([...input.current.files]);
    input.current.value = ""; // so that choosing the same file again is a change
  };
  return html`
    <input ref=${input} type="file" multiple webkitdirectory=${isFolder} hidden aria-label=${text} onChange=${chosen} />
    <button type="button" class=${className} onClick=${() => input.current.click()}>${text}</button>
  `;
}
