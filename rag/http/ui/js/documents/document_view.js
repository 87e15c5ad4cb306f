// One document: how it was read, its attributes, who may read it, and the passages that it was cut into.

import { documentOf, passages, versions } from "../api/api.js";
import { errorText } from "../language/errors.js";
import { readableBytes } from "../language/numbers.js";
import { language, locale, t } from "../language/texts.js";
import { html, useEffect, useState } from "../shared/dom.js";
import { useLoaded } from "../shared/use_loaded.js";
import { documentAddress, sourceAddress } from "../sources/address.js";
import { isMarkdown, TextOf } from "../sources/passage_text.js";
import { Attributes } from "./attributes.js";
import { Problems } from "./document_table.js";
import { ReadGroups } from "./read_groups.js";

/** `retryOn` changes when it may help to load again, because the reader has signed in. */
export function DocumentView({ address, retryOn }) {
  const { store, fileId } = address;
  const hash = documentAddress(store, fileId);
  const [{ value: file, error }, setFile] = useLoaded(() => documentOf(store, fileId), [hash, retryOn.isLoaded]);
  return html`
    <div class="documents document">
      <p><a href="#documents">${t("document.back")}</a></p>
      ${error && html`<p class="failure" role="alert">${error.message}</p>`}
      ${!error && !file && html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t("source.loading")}</p>`}
      ${file &&
      html`
        <h2><bdi>${file.filename}</bdi></h2>
        <${Report} file=${file} />
        <${Attributes} store=${store} file=${file} onChange=${setFile} />
        <${ReadGroups} store=${store} file=${file} onChange=${setFile} />
        <${Versions} store=${store} file=${file} />
        <${Passages} key=${hash} store=${store} file=${file} />
      `}
    </div>
  `;
}

function Report({ file }) {
  const facts = {
    "documents.status": t(`documents.status.${file.status}`),
    "document.title": file.title,
    "document.media_type": file.media_type,
    "document.language": file.language && languageName(file.language),
    "document.pages": file.pages || "",
    "documents.size": readableBytes(file.bytes),
    "documents.passages": file.chunks,
    "document.cutting": cutting(file.chunking_strategy),
    "documents.added": new Date(file.created_at * 1000).toLocaleString(locale),
    "document.hash": file.content_hash.slice(0, 16),
  };
  return html`
    <section aria-label=${t("document.report")}>
      <dl class="report">
        ${Object.entries(facts)
          .filter(([, value]) => value !== "" && value !== null)
          .map(([name, value]) => html`<div><dt>${t(name)}</dt><dd><bdi>${value}</bdi></dd></div>`)}
      </dl>
      <${Problems} file=${file} />
      ${!file.warnings.length && file.status === "completed" && html`<p class="note">${t("document.read_whole")}</p>`}
    </section>
  `;
}

function languageName(tag) {
  try {
    return new Intl.DisplayNames([language], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

/** A chunking strategy as the API names it, such as `recursive, max chars 512`. */
function cutting(strategy) {
  if (!strategy) return "";
  const name = strategy.strategy ?? strategy.type;
  const { questions } = strategy;
  const options = Object.entries({ ...strategy[name], ...(questions && { questions }) }).filter(([, value]) => typeof value !== "object");
  return [name, ...options.map(([option, value]) => `${option.replaceAll("_", " ")} ${value}`)].join(", ");
}

function Versions({ store, file }) {
  const [{ value: list, error }] = useLoaded(() => versions(store, file.id), [file.id, file.version]);
  return html`
    <details class="versions">
      <summary>${t("document.versions")}${list ? html` <span class="count">${list.length}</span>` : ""}</summary>
      <ul>${list?.map((each) => html`<${Version} key=${each.version} version=${each} />`)}</ul>
      ${error && html`<p class="failure" role="alert">${error.message}</p>`}
    </details>
  `;
}

function Version({ version: { version, created_at: created, status, searchable, chunks, bytes, last_error: error } }) {
  const state = searchable ? "current" : status === "completed" ? "replaced" : "";
  return html`
    <li>
      <strong>${version}</strong> ${new Date(created * 1000).toLocaleString(locale)}
      <span class=${`state ${searchable ? "completed" : status}`}> ${t(state ? `document.version.${state}` : `documents.status.${status}`)}</span>
      <span class="note"> ${t("documents.passages")}: ${chunks} · ${readableBytes(bytes)}</span>
      ${error && html`<p class="problem error" dir="auto">${errorText(error)}</p>`}
    </li>
  `;
}

function Passages({ store, file }) {
  const [state, setState] = useState({ list: [], hasMore: true, isLoading: false, error: null });
  const more = async () => {
    setState((before) => ({ ...before, isLoading: true, error: null }));
    try {
      const page = await passages(store, file.id, state.list.at(-1)?.id);
      setState({ list: [...state.list, ...page.data], hasMore: page.has_more, isLoading: false, error: null });
    } catch (error) {
      setState((before) => ({ ...before, hasMore: false, isLoading: false, error }));
    }
  };
  useEffect(() => void more(), [file.version]);
  const { list, hasMore, isLoading, error } = state;
  return html`
    <section aria-label=${t("document.passages")}>
      <h3>${t("document.passages")}</h3>
      <p class="note">${t("document.passages_text")}</p>
      ${error && html`<p class="failure" role="alert">${error.message}</p>`}
      <ol class="cut">
        ${list.map((each, at) => html`<${Passage} key=${each.id} store=${store} file=${file} passage=${each} before=${list[at - 1]} />`)}
      </ol>
      ${hasMore && html`<button type="button" disabled=${isLoading} onClick=${more}>${t("documents.more")}</button>`}
    </section>
  `;
}

/** What a passage repeats of the one before it is shown paler. */
function Passage({ store, file, passage, before }) {
  const { is_generated: isGenerated, heading, page, header, text } = passage;
  const repeated = isGenerated ? 0 : Math.max(0, Math.min((before?.end ?? 0) - passage.start, passage.end - passage.start));
  const place = [isGenerated && t("document.generated"), heading.split(" > ").join(" › "), page && t("source.page", { page })];
  return html`
    <li>
      <p class="facts">
        <bdi>${place.filter(Boolean).join(" › ")}</bdi>
        <a href=${sourceAddress(store, file.id, passage)}>${t("document.range", { start: passage.start, end: passage.end })}</a>
      </p>
      <${TextOf} isMarkdown=${!isGenerated && isMarkdown(file)} header=${isGenerated ? "" : header} text=${text} repeated=${repeated} />
    </li>
  `;
}
