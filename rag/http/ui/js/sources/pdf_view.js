// A page of a PDF as it is printed, with words marked on it.

import { t } from "../language/texts.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../shared/dom.js";
import { openPdf } from "./pdf.js";

const ZOOMS = [1, 1.5, 2, 3];
const MIN_PIXELS_WIDE = 800;
const MAX_PIXELS = 16e6;

/**
 * `places` are rectangles in points; those with `isQuote` are marked more strongly. `focus` is the rectangle to begin at;
 * another one turns to its page.
 */
export default function PdfView({ fileId, filename, page, places, focus }) {
  const [number, setNumber] = useState(page);
  const [zoom, setZoom] = useState(0);
  const [pdf, error] = usePdf(fileId);
  useEffect(() => setNumber(page), [page, focus]);
  const count = pdf?.numPages;
  return html`
    <div class="pdf">
      <div class="bar">
        <${IconButton} symbol="‹" name="source.previous_page" isOff=${number <= 1} onClick=${() => setNumber(number - 1)} />
        <span role="status">${t(count ? "source.page_of" : "source.page", { page: number, count })}</span>
        <${IconButton} symbol="›" name="source.next_page" isOff=${!count || number >= count} onClick=${() => setNumber(number + 1)} />
        <span class="space"></span>
        <${IconButton} symbol="−" name="source.smaller" isOff=${zoom === 0} onClick=${() => setZoom(zoom - 1)} />
        <${IconButton} symbol="+" name="source.larger" isOff=${zoom === ZOOMS.length - 1} onClick=${() => setZoom(zoom + 1)} />
      </div>
      ${error && html`<p class="failure" role="alert">${t("source.pdf_failed", { reason: error.message })}</p>`}
      ${!error && !pdf && html`<p class="progress"><span class="dot" aria-hidden="true"></span>${t("source.loading")}</p>`}
      ${pdf &&
      html`<${Sheet}
        pdf=${pdf}
        number=${Math.min(number, count)}
        zoom=${ZOOMS[zoom]}
        label=${t("source.page_image", { page: number, name: filename })}
        places=${places.filter((place) => place.page === number)}
        focus=${focus}
      />`}
    </div>
  `;
}

const IconButton = ({ symbol, name, isOff, onClick }) => html`
  <button type="button" class="icon" disabled=${isOff} aria-label=${t(name)} title=${t(name)} onClick=${onClick}>${symbol}</button>
`;

/** The opened file, or null and the error. It is closed when another one is opened. */
function usePdf(fileId) {
  const [state, setState] = useState([null, null]);
  useEffect(() => {
    let isCurrent = true;
    setState([null, null]);
    const opening = openPdf(fileId);
    opening.then(
      (opened) => isCurrent && setState([opened.document, null]),
      (error) => isCurrent && setState([null, error]),
    );
    return () => {
      isCurrent = false;
      opening.then((opened) => opened.close(), () => {});
    };
  }, [fileId]);
  return state;
}

function Sheet({ pdf, number, zoom, label, places, focus }) {
  const [drawn, setDrawn] = useState(null);
  const [error, setError] = useState(null);
  const box = useRef();
  const picture = useRef();
  useEffect(() => {
    setError(null);
    const drawing = new Drawing(pdf, number, box.current.clientWidth * zoom * devicePixelRatio);
    drawing.done.then(
      ({ canvas, width, height }) => {
        picture.current.replaceChildren(canvas);
        setDrawn({ number, width, height });
      },
      (failure) => drawing.isCancelled || setError(failure),
    );
    return () => drawing.cancel();
  }, [pdf, number, zoom]);
  const marks = drawn?.number === number ? places : [];
  useLayoutEffect(() => {
    box.current.querySelector(".focus, .quote, rect")?.scrollIntoView({ block: "center", inline: "nearest" });
  }, [drawn, focus]);
  return html`
    ${error && html`<p class="failure" role="alert">${t("source.pdf_failed", { reason: error.message })}</p>`}
    <div class="paper" ref=${box} tabindex="0" role="group" aria-label=${label} aria-busy=${drawn?.number !== number}>
      <div class="sheet" style=${{ width: `${zoom * 100}%` }} role="img" aria-label=${label}>
        <div ref=${picture}></div>
        ${drawn &&
        html`<svg viewBox=${`0 0 ${drawn.width} ${drawn.height}`} aria-hidden="true">
          ${marks.map((place) => html`<${Mark} place=${place} isFocus=${place === focus} />`)}
        </svg>`}
      </div>
    </div>
  `;
}

const Mark = ({ place, isFocus }) => html`
  <rect
    class=${`${place.isQuote ? "quote" : "passage"}${isFocus ? " focus" : ""}`}
    x=${place.x0}
    y=${place.y0}
    width=${Math.max(0, place.x1 - place.x0)}
    height=${Math.max(0, place.y1 - place.y0)}
  />
`;

/** Draws a page on a canvas that is `pixelsWide`, within limits. `done` has its size in points as well. */
class Drawing {
  constructor(pdf, number, pixelsWide) {
    this.isCancelled = false;
    this.done = this.draw(pdf, number, pixelsWide);
  }

  cancel() {
    this.isCancelled = true;
    this.task?.cancel();
  }

  async draw(pdf, number, pixelsWide) {
    const page = await pdf.getPage(number);
    const { width, height } = page.getViewport({ scale: 1 / page.userUnit });
    const scale = Math.min(Math.max(pixelsWide, MIN_PIXELS_WIDE) / width, Math.sqrt(MAX_PIXELS / (width * height)));
    const viewport = page.getViewport({ scale: scale / page.userUnit });
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(viewport.width);
    canvas.height = Math.ceil(viewport.height);
    if (this.isCancelled) throw new Error("cancelled");
    this.task = page.render({ canvas, viewport });
    await this.task.promise;
    return { canvas, width, height };
  }
}
