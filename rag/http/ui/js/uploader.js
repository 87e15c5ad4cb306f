// Uploads by button or by drag and drop, with the progress of each file.

import { html, useRef, useState } from "./dom.js";
import { t } from "./texts.js";
import { droppedFiles, nameOf, upload } from "./uploads.js";

export function Uploader({ store, onUploaded }) {
  const [uploads, setUploads] = useState([]);
  const [jobs, setJobs] = useState({});
  const [isOver, setIsOver] = useState(false);
  const batches = useRef(0);
  const start = async (files) => {
    if (!files.length) return;
    const batch = ++batches.current;
    setUploads((all) => [...files.map((file) => ({ batch, name: nameOf(file), state: "waiting" })), ...all]);
    const report = (name, changes) =>
      setUploads((all) => all.map((each) => (each.batch === batch && each.name === name ? { ...each, ...changes } : each)));
    await upload(store, files, report, (id, job) => setJobs((all) => ({ ...all, [id]: job })));
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
      aria-label=${t("upload.title")}
      onDrop=${drop}
      onDragOver=${over}
      onDragLeave=${() => setIsOver(false)}
    >
      <p>${t("upload.drop")}</p>
      <div class="actions">
        <${FileButton} text=${t("upload.files")} onFiles=${start} className="primary" />
        <${FileButton} text=${t("upload.folder")} onFiles=${start} isFolder=${true} />
      </div>
    </section>
    ${Object.entries(jobs).map(([id, job]) => job && html`<${JobProgress} key=${id} job=${job} />`)}
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

function JobProgress({ job }) {
  const { step, waiting_for: waitingFor, chunks, chunks_total: total, seconds_left: left } = job.progress;
  return html`
    <div class="job">
      <progress max=${total || 1} value=${chunks} aria-label=${t("upload.progress")}></progress>
      <p>
        <bdi>${waitingFor ? t("upload.waiting_for", { what: waitingFor }) : step || t("upload.starting")}</bdi>
        ${left ? ` · ${t("upload.left", { seconds: Math.ceil(left) })}` : ""}
      </p>
    </div>
  `;
}

function UploadList({ uploads, onClear }) {
  if (!uploads.length) return null;
  return html`
    <div class="uploads">
      <ul aria-label=${t("upload.list")}>
        ${uploads.map(
          (each) => html`
            <li key=${`${each.batch} ${each.name}`} class=${each.state}>
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
  return t(`upload.${change ?? "added"}`, { chunks });
}
