// The page's texts, in the browser's language if there is a file for it.

import en from "../texts/en.js";
import zh from "../texts/zh.js";

const LANGUAGES = { en, zh };
const preferred = navigator.languages.map((each) => each.toLowerCase().split("-")[0]);

export const language = preferred.find((each) => each in LANGUAGES) ?? "en";

/** Add the texts of a view that is loaded later, by language. */
export function addTexts(byLanguage) {
  for (const each of Object.keys(LANGUAGES)) Object.assign(LANGUAGES[each], byLanguage[each]);
}

/**
 * The text named `key`; `{name}` in it is replaced by `values.name`. If `values.count` is 1 and the language has a text
 * `key.one`, that is used.
 */
export function t(key, values = {}) {
  const texts = LANGUAGES[language];
  const text = (values.count === 1 && texts[`${key}.one`]) || (texts[key] ?? key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
