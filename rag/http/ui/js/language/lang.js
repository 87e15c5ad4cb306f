// The language of a text, as far as its script tells it. Fonts draw the same character differently in Chinese and in
// Japanese, and screen readers choose a voice by it.

/** In this order: Japanese and Korean texts have Chinese characters, too. */
const SCRIPTS = {
  ja: /[\p{sc=Hiragana}\p{sc=Katakana}]/gu,
  ko: /\p{sc=Hangul}/gu,
  zh: /\p{sc=Han}/gu,
  ar: /\p{sc=Arabic}/gu,
  he: /\p{sc=Hebrew}/gu,
};
const LETTER = /\p{L}/gu;
const SAMPLE_CHARS = 500;
/** Less than this share of the letters may be names and words in a text of another language. */
const LEAST_SHARE = 0.2;

const RTL = /[\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}\p{sc=Thaana}]/u;
const LATIN = /\p{sc=Latin}/u;

/** Whether a text has letters of scripts that are written from right to left, and of Western ones. */
export const isMixed = (text) => RTL.test(text) && LATIN.test(text);

/** The direction of a text's first letter. Unlike with `dir="auto"`, what is isolated or has a direction counts as well. */
export const directionOf = (text) => (RTL.test(/\p{L}/u.exec(text)?.[0] ?? "") ? "rtl" : "ltr");

/** The value of the attribute `lang` for a text; null if it may be any language of a Western script. */
export function langOf(text) {
  const sample = text.slice(0, SAMPLE_CHARS);
  const count = (pattern) => sample.match(pattern)?.length ?? 0;
  const letters = count(LETTER);
  return Object.keys(SCRIPTS).find((lang) => count(SCRIPTS[lang]) > letters * LEAST_SHARE) ?? null;
}
