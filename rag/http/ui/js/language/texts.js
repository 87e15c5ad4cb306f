// The page's texts, in the browser's language if there is a file for it. Only that file is loaded.

const LANGUAGES = ["en", "zh"];
const preferred = navigator.languages.map((each) => each.toLowerCase().split("-")[0]);

/** The language of the texts. */
export const language = preferred.find((each) => LANGUAGES.includes(each)) ?? "en";
/** The same language as the reader writes it, such as `en-GB`, which decides the order of a date. */
export const locale = navigator.languages.find((each) => each.toLowerCase().split("-")[0] === language) ?? language;
const texts = (await import(`../../texts/${language}.js`)).default;

/** Add the texts of a view that is loaded later. */
export function addTexts(more) {
  Object.assign(texts, more);
}

/**
 * The text named `key`; `{name}` in it is replaced by `values.name`. If `values.count` is 1 and the language has a text
 * `key.one`, that is used.
 */
export function t(key, values = {}) {
  const text = (values.count === 1 && texts[`${key}.one`]) || (texts[key] ?? key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
