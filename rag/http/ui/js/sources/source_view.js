// Where a source stands in its document: on the page of a PDF, or in the text.

import { t } from "../language/texts.js";
import { html, useMemo, useState } from "../shared/dom.js";
import { LazyView } from "../shared/lazy_view.js";
import { linkTo, sourceAddress } from "./address.js";
import { PassageText } from "./passage_text.js";

/**
 * `source` is a hit, or what a link names; `quotes` are the parts of it that an answer quotes, and `occurrence` is the
 * number of the quote to begin at.
 */
export function SourceView({ source, quotes, store, occurrence }) {
  const isPdf = Boolean(source.page) && (placesOf(source).length > 0 || /\.pdf$/i.test(source.filename));
  const [view, setView] = useState("page");
  const quote = quotes[occurrence] ?? quotes[0];
  const shown = isPdf ? view : "text";
  return html`
    ${source.heading && html`<p class="place" dir="auto">${source.heading.split(" > ").join(" › ")}</p>`}
    <div class="facts">
      ${source.page ? html`<span>${t("source.page", { page: source.page })}</span>` : ""}
      ${source.score === undefined ? "" : html`<span>${t("source.score", { score: source.score.toFixed(2) })}</span>`}
      <${CopyLink} address=${sourceAddress(store, source.file_id, source, quote && [quote.source_start, quote.source_end])} />
    </div>
    ${isPdf && html`<${Switch} value=${view} onChange=${setView} />`}
    ${shown === "page"
      ? html`<${PdfSource} key=${source.file_id} source=${source} quotes=${quotes} quote=${quote} />`
      : html`<${PassageText}
          key=${`${source.file_id} ${source.start}`}
          source=${source}
          quotes=${quotes}
          store=${store}
          occurrence=${occurrence}
        />`}
  `;
}

/** Conversations of earlier releases have sources without places. */
const placesOf = (source) => source.rectangles ?? NONE;
const NONE = [];

const Switch = ({ value, onChange }) => html`
  <div class="switch" role="group" aria-label=${t("source.view")}>
    ${["page", "text"].map(
      (each) => html`
        <button type="button" aria-pressed=${each === value} onClick=${() => onChange(each)}>${t(`source.view.${each}`)}</button>
      `,
    )}
  </div>
`;

const loadPdfView = () => import("./pdf_view.js");

function PdfSource({ source, quotes, quote }) {
  const places = useMemo(
    () => [
      ...placesOf(source),
      ...quotes.flatMap((each) => placesOf(each).map((place) => ({ ...place, isQuote: true, quote: each }))),
    ],
    [source, quotes],
  );
  const focus = places.find((place) => place.quote === quote && place.isQuote) ?? placesOf(source)[0] ?? null;
  return html`<${LazyView}
    load=${loadPdfView}
    isShown=${true}
    fileId=${source.file_id}
    filename=${source.filename}
    page=${focus?.page ?? source.page}
    places=${places}
    focus=${focus}
  />`;
}

function CopyLink({ address }) {
  const [copied, setCopied] = useState("");
  const link = linkTo(address);
  const copy = async (event) => {
    if (!navigator.clipboard) return; // the link is followed instead
    event.preventDefault();
    await navigator.clipboard.writeText(link);
    setCopied(link);
  };
  return html`<a class="link" href=${link} onClick=${copy}>${t(copied === link ? "chat.copied" : "source.link")}</a>`;
}
