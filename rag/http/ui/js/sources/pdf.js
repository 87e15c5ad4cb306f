// PDF files, read by pdf.js. It is loaded when the first one is opened.

import { fileRequest } from "../api/api.js";
import { t } from "../language/texts.js";

const FOLDER = new URL("../../vendor/pdfjs/", import.meta.url);
const WORKER = new URL("pdf.worker.mjs", FOLDER).href;

// The page's policy admits scripts by an address only from a policy with this name; this one knows a single address.
const policy = globalThis.trustedTypes?.createPolicy("pdf-worker", { createScriptURL: () => WORKER });

/**
 * Opens a file. Only the parts that are shown are fetched. `close()` ends the worker, whatever the file makes it do.
 */
export async function openPdf(fileId) {
  const pdfjs = await import("../../vendor/pdfjs/pdf.mjs");
  const port = new Worker(policy ? policy.createScriptURL("") : WORKER, { type: "module" });
  try {
    const { url, headers } = fileRequest(fileId);
    const options = {
      url,
      httpHeaders: headers,
      worker: pdfjs.PDFWorker.create({ port }),
      disableAutoFetch: true,
      disableStream: true,
      isEvalSupported: false,
      cMapUrl: new URL("cmaps/", FOLDER).href,
      cMapPacked: true,
      standardFontDataUrl: new URL("fonts/", FOLDER).href,
      wasmUrl: new URL("wasm/", FOLDER).href,
      verbosity: pdfjs.VerbosityLevel.ERRORS,
    };
    return { document: await pdfjs.getDocument(options).promise, close: () => port.terminate() };
  } catch (error) {
    port.terminate();
    throw error.status === 404 ? new Error(t("error.no_document")) : error;
  }
}
