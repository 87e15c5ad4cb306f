// Uploads by button or by drag and drop, with the progress of each file.

import { ingest } from "./api.js";
import { droppedFiles, nameOf } from "./chosen_files.js";
import { html, useRef, useState } from "./dom.js";
import { GroupsField, groupsIn } from "./read_groups.js";
import { t } from "./texts.js";
import { upload } from "./uploads.js";

export function Uploader({ store, onAccepted, onUploaded }) {
  const [uploads, setUploads] = useState([]);
  const [groups, setGroups] = useState("");
  const [isOver, setIsOver] = useState(false);
  const count = useRef(0);
  const start = async (files) => {
    if (!files.length) return;
    const added = files.map((file) => ({ file, key: ++count.current, name: nameOf(file), state: "waiting" }));
    setUploads((all) => [...added, ...all]);
    const send = (some) => ingest(store, some, groupsIn(groups));
    await upload(send, files, (file, changes) => {
      setUploads((all) => all.map((each) => (each.file === file ? { ...each, ...changes } : each)));
      if (changes.state === "processing") onAccepted();
    });
    onUploaded();
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
    <${UploadList} uploads=${uploads} onClear=${() => setUploads(uploads.filter((each) => !isFinished(each)))} />
  `;
}

const isFinished = (each) => each.state === "completed" || each.state === "failed";

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

function UploadList({ uploads, onClear }) {
  if (!uploads.length) return null;
  return html`
    <div class="uploads">
      <ul aria-label=${t("upload.list")}>
        ${uploads.map(
          (each) => html`
            <li key=${each.key} class=${each.state}>
              <bdi>${each.name}</bdi>
              <span class=${`state ${each.state}`}>${stateText(each)}</span>
              ${each.error && html`<p class="problem error" dir="auto">${each.error}</p>`}
              ${each.warnings?.map((warning) => html`<p class="problem" dir="auto">${warning}</p>`)}
            </li>
          `,
        )}
      </ul>
      ${uploads.some(isFinished) && html`<button type="button" onClick=${onClear}>${t("upload.clear")}</button>`}
      <p class="sr-only" role="status">${uploads.every(isFinished) ? t("upload.finished") : ""}</p>
    </div>
  `;
}

function stateText({ state, change, chunks }) {
  if (state !== "completed") return t(`upload.state.${state}`);
  return t(`upload.${change ?? "added"}`, { count: chunks });
}
