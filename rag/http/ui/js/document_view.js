// One document: how it was read, its attributes, who may read it, and the passages that it was cut into.

import { documentAddress, sourceAddress } from "./address.js";
import { documentOf, passages } from "./api.js";
import { Attributes } from "./attributes.js";
import { Problems, readableBytes } from "./document_table.js";
import { html, useEffect, useState } from "./dom.js";
import { isMarkdown, TextOf } from "./passage_text.js";
import { ReadGroups } from "./read_groups.js";
import { language, t } from "./texts.js";

/** `retryOn` changes when it may help to load again, because the reader has signed in. */
export function DocumentView({ address, retryOn }) {
  const { store, fileId } = address;
  const [state, setState] = useState({ file: null, error: null });
  const hash = documentAddress(store, fileId);
  useEffect(() => {
    let isCurrent = true;
    setState({ file: null, error: null });
    documentOf(store, fileId).then(
      (file) => isCurrent && setState({ file, error: null }),
      (error) => isCurrent && setState({ file: null, error }),
    );
    return () => (isCurrent = false);
  }, [hash, retryOn.isLoaded]);
  const { file, error } = state;
  return html`
    <div class="documents document">
      <p><a href="#documents">${t("document.back")}</a></p>
      ${error && html`<p class="failure" role="alert">${error.message}</p>`}
      ${!error && !file && html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t("source.loading")}</p>`}
      ${file &&
      html`
        <h2><bdi>${file.filename}</bdi></h2>
        <${Report} file=${file} />
        <${Attributes} store=${store} file=${file} onChange=${(changed) => setState({ file: changed, error: null })} />
        <${ReadGroups} store=${store} file=${file} onChange=${(changed) => setState({ file: changed, error: null })} />
        <${Passages} key=${hash} store=${store} file=${file} />
      `}
    </div>
  `;
}

function Report({ file }) {
  const facts = {
    status: t(`documents.status.${file.status}`),
    title: file.title,
    media_type: file.media_type,
    language: file.language && languageName(file.language),
    pages: file.pages || "",
    size: readableBytes(file.bytes),
    passages: file.chunks,
    cutting: cutting(file.chunking_strategy),
    added: new Date(file.created_at * 1000).toLocaleString(language),
    version: file.version,
    hash: file.content_hash.slice(0, 16),
  };
  return html`
    <section aria-label=${t("document.report")}>
      <dl class="report">
        ${Object.entries(facts)
          .filter(([, value]) => value !== "" && value !== null)
          .map(([name, value]) => html`<div><dt>${t(`document.${name}`)}</dt><dd><bdi>${value}</bdi></dd></div>`)}
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

/** A chunking strategy as the API names it, such as `recursive, max_chars 512`. */
function cutting(strategy) {
  if (!strategy) return "";
  const name = strategy.strategy ?? strategy.type;
  const options = Object.entries(strategy[name] ?? {}).filter(([, value]) => typeof value !== "object");
  return [name, ...options.map(([option, value]) => `${option} ${value}`)].join(", ");
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
  if (passage.is_generated) return html`<${GeneratedQuestion} store=${store} file=${file} pair=${passage} />`;
  const repeated = Math.max(0, Math.min((before?.end ?? 0) - passage.start, passage.end - passage.start));
  const place = [passage.heading.split(" > ").join(" › "), passage.page && t("source.page", { page: passage.page })];
  return html`
    <li>
      <p class="facts">
        <bdi>${place.filter(Boolean).join(" › ")}</bdi>
        <a href=${sourceAddress(store, file.id, passage)}>${t("document.range", { start: passage.start, end: passage.end })}</a>
      </p>
      <${TextOf} isMarkdown=${isMarkdown(file)} header=${passage.header} text=${passage.text} repeated=${repeated} />
    </li>
  `;
}

/** A question that the language model generated of a passage, with its answer. */
function GeneratedQuestion({ store, file, pair }) {
  const [question, ...answer] = pair.text.split("\n");
  return html`
    <li>
      <p class="facts">
        <strong>${t("document.generated")}</strong>
        <a href=${sourceAddress(store, file.id, pair)}>${t("document.range", { start: pair.start, end: pair.end })}</a>
      </p>
      <p dir="auto">${question}</p>
      <p class="note" dir="auto">${answer.join("\n")}</p>
    </li>
  `;
}
