// The page: a header and its views.

import { currentKey, setKey, vectorStores } from "./api/api.js";
import { Chat } from "./chat/chat.js";
import { DocumentView } from "./documents/document_view.js";
import { Documents } from "./documents/documents.js";
import { language, t } from "./language/texts.js";
import { html, render, useCallback, useEffect, useRef, useState } from "./shared/dom.js";
import { LazyView } from "./shared/lazy_view.js";
import { SignIn } from "./shared/sign_in.js";
import { readDocumentAddress, readSourceAddress } from "./sources/address.js";
import { SourcePage } from "./sources/source_page.js";

/** Views that are loaded when they are opened first. */
const LAZY_VIEWS = {
  why: () => import("./why/why.js"),
  evaluation: () => import("./evaluation/evaluation.js"),
  service: () => import("./service/service.js"),
};
const VIEWS = ["chat", "documents", ...Object.keys(LAZY_VIEWS)];

const RETRY_MS = 2000;

function viewInAddress() {
  const hash = location.hash;
  const view = VIEWS.find((each) => hash.split("?")[0] === `#${each}`);
  if (view) return view;
  if (readSourceAddress(hash)) return "source";
  return readDocumentAddress(hash) ? "document" : "chat";
}

/** Views stay in the page, so an answer or an upload goes on while another one is open. */
function App() {
  const [view, setView] = useState(viewInAddress);
  const current = VIEWS.includes(view) ? view : "documents"; // a document or a passage is one of the documents
  const [stores, reloadStores] = useStores();
  const [hash, setHash] = useState(location.hash);
  const [isSignedIn, setIsSignedIn] = useState(currentKey() !== "");
  useEffect(() => {
    const changed = () => {
      setView(viewInAddress());
      setHash(location.hash);
    };
    addEventListener("hashchange", changed);
    changed(); // the address may have changed since the first rendering
    return () => removeEventListener("hashchange", changed);
  }, []);
  useEffect(() => {
    const changed = () => setIsSignedIn(currentKey() !== "");
    addEventListener("keychange", changed);
    return () => removeEventListener("keychange", changed);
  }, []);
  useEffect(() => document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [view]);
  return html`
    <header class="top">
      <h1 class="brand">RAG</h1>
      <nav aria-label=${t("nav.label")}>
        ${VIEWS.map(
          (each) => html`<a href="#${each}" aria-current=${each === current ? "page" : null}>${t(`nav.${each}`)}</a>`,
        )}
      </nav>
      <span class="end">
        ${isSignedIn && html`<button type="button" class="small" onClick=${signOut}>${t("key.forget")}</button>`}
        <a class="api" href="./">${t("nav.api")}</a>
      </span>
    </header>
    <${SignIn} onSignedIn=${reloadStores} />
    <main class="view" hidden=${view !== "chat"}><${Chat} stores=${stores} isShown=${view === "chat"} /></main>
    <main class="view" hidden=${view !== "documents"}>
      <${Documents} stores=${stores} isShown=${view === "documents"} onChange=${reloadStores} />
    </main>
    ${view === "document" &&
    html`<main class="view"><${DocumentView} address=${readDocumentAddress(hash)} retryOn=${stores} /></main>`}
    ${view === "source" && html`<main class="view"><${SourcePage} hash=${hash} retryOn=${stores} /></main>`}
    ${Object.entries(LAZY_VIEWS).map(
      ([name, load]) => html`
        <main class="view" key=${name} hidden=${view !== name}>
          <${LazyView} load=${load} stores=${stores} isShown=${view === name} />
        </main>
      `,
    )}
  `;
}

/** Forget the key, and what was loaded with it. */
function signOut() {
  setKey("");
  location.reload();
}

/**
 * The vector stores, with the error if they cannot be listed, and a function that lists them again. While the service is
 * starting or cannot be reached, it is asked again and again.
 */
function useStores() {
  const [stores, setStores] = useState({ list: [], error: null, isLoaded: false });
  const timer = useRef(0);
  const reload = useCallback(async () => {
    clearTimeout(timer.current);
    try {
      setStores({ list: await vectorStores(), error: null, isLoaded: true });
    } catch (error) {
      setStores((before) => ({ ...before, error }));
      if (error.status === 503 || !error.status) timer.current = setTimeout(reload, RETRY_MS);
    }
  }, []);
  useEffect(() => void reload(), []);
  return [stores, reload];
}

// A file dropped beside the field for uploads must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

document.documentElement.lang = language;
render(html`<${App} />`, document.getElementById("app"));
