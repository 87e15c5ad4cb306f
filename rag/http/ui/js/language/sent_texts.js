// What the service says in English, in the reader's language: warnings, notes and steps. What has no text stays as sent.

import { addTexts, language, t } from "./texts.js";

if (language !== "en") addTexts((await import(`../../texts/sent.${language}.js`)).default);

function translated(key, values, sent) {
  const text = t(key, values);
  return text === key ? sent : text;
}

/** What was not read of a file. */
export const warningTexts = ({ warnings, warning_details: details = [] }) =>
  warnings.map((sent, at) => warningText(sent, details[at] ?? {}));

function warningText(sent, { code, values = {}, part }) {
  const place = values.place ? t(`place.${values.place}`, values) : "";
  const text = translated(`warning.${code}`, { ...values, place }, sent);
  return part && text !== sent ? `${part}: ${text}` : text;
}

/** Which steps were skipped for an answer, and why; `codes` has one for each part of the note. */
export const noteText = (note, codes = []) =>
  note
    .split("; ")
    .map((sent, at) => partText(sent, codes[at] ?? ""))
    .join("; ");

function partText(sent, code) {
  const [part, failure] = code.split(".");
  return failure ? `${t(`part.${part}`)}: ${t(`failure.${failure}`)}` : translated(`note.${part}`, {}, sent);
}

/** What a job is doing. */
export const stepText = ({ step, step_code: code, step_values: values }) => translated(`step.${code}`, values, step);
