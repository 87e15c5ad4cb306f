// Reads the reports of `rag eval`. A file is not trusted: only fields of the expected types are taken over.

import { t } from "../language/texts.js";

const FORMAT = 1;

/** The run in a file: `{name, made, versions, sets}`. Throws an Error whose message is for people. */
export async function readReport(file) {
  const report = await file.text().then(JSON.parse).catch(() => null);
  if (!isObject(report?.sets)) throw new Error(t("eval.not_report", { name: file.name }));
  if (report.format !== FORMAT) throw new Error(t("eval.wrong_format", { name: file.name, format: report.format }));
  return {
    name: file.name,
    made: text(report.made),
    versions: strings(report.versions),
    sets: entries(report.sets).map(([name, set]) => readSet(name, set)),
  };
}

function readSet(name, set) {
  return {
    name,
    hash: text(set.hash),
    corpusHash: text(set.corpus_hash),
    documents: number(set.documents),
    queries: number(set.queries),
    questions: number(set.questions),
    store: text(set.vector_store?.store_id),
    texts: strings(set.texts),
    relevant: mapped(set.relevant, (documents) => Object.keys(isObject(documents) ? documents : {})),
    configs: entries(set.configurations).map(([config, result]) => ({
      name: config,
      request: isObject(result.request) ? result.request : {},
      parts: { retrieval: readPart(result.retrieval), answers: readPart(result.answers) },
      curves: { abstention: readCurve(result.abstention), confidence: readCurve(result.confidence) },
    })),
  };
}

function readPart(part) {
  if (!isObject(part)) return null;
  const latency = isObject(part.latency_ms) ? part.latency_ms : {};
  return {
    metrics: mapped(part.metrics, ({ value, low, high, n }) => ({ value: number(value), low: number(low), high: number(high), n: number(n) })),
    latency: { p50: number(latency.p50), p95: number(latency.p95) },
    perQuery: mapped(part.per_query, (values) => new Map(entries(values, "number"))),
    hits: mapped(part.hits, (hits) => list(hits).map((hit) => ({ document: text(hit.document), text: text(hit.text) }))),
    given: mapped(part.given, (answer) => ({ question: text(answer.question), text: text(answer.text) })),
  };
}

function readCurve(curve) {
  if (!isObject(curve)) return null;
  const points = list(curve.points).map((point) => [number(point.threshold), number(point.abstained), number(point.answered)]);
  return { auroc: number(curve.auroc), best: number(curve.best?.threshold), points: points.filter((point) => point.every(Number.isFinite)) };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (typeof value === "number" ? value : NaN);
const list = (value, type = "object") => (Array.isArray(value) ? value.filter((each) => each !== null && typeof each === type) : []);
const entries = (value, type = "object") =>
  isObject(value) ? Object.entries(value).filter(([, each]) => each !== null && typeof each === type) : [];
const mapped = (value, change) => Object.fromEntries(entries(value).map(([name, each]) => [name, change(each)]));
const strings = (value) => Object.fromEntries(entries(value, "string"));
