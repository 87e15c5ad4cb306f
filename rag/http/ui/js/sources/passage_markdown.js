// Passages of documents that are Markdown, as elements, with the quoted words marked.

import { Marked } from "../../vendor/marked.mjs";
import DOMPurify from "../../vendor/purify.mjs";
import { t } from "../language/texts.js";
import { escaped, NO_ADDRESSES } from "../shared/markdown.js";

/** Characters of Unicode's private use area stand for the ends of a quote until Markdown has become elements. */
const OPEN = "\uE000";
const CLOSE = "\uE001";
const RESERVED = /[\uE000\uE001]/g;

/** A line that begins or ends a block of code. A sign in it would make it text. */
const FENCE = /(^[ \t]*(?:`{3,}|~{3,}).*$\n?)/m;

/** What a line begins with before its text: the sign of a list item, heading, quotation or table row. */
const LINE_START = /^\s*(?:(?:[-*+>|]|\d{1,9}[.)]|#{1,6})\s+|\|\s*)*/;

/** HTML in Markdown: these elements are kept without their attributes, the others' tags are left out or shown as text. */
const KEPT = /^<(\/?)(b|br|code|em|i|kbd|li|ol|p|strong|sub|sup|table|tbody|td|th|thead|tr|ul)\b[^>]*>$/i;
const LEFT_OUT = /^<\/?(?:a|center|div|font|section|span)\b[^>]*>$/i;

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => text.replace(/<[^<>]*>|[^<]+|</g, htmlPart),
    heading({ tokens }) {
      return `<h3>${this.parser.parseInline(tokens)}</h3>`;
    },
    image: ({ text, href }) => escaped(`${text || t("chat.image")} (${href})`),
  },
});

function htmlPart(part) {
  const kept = KEPT.exec(part);
  if (kept) return `<${kept[1]}${kept[2]}>`;
  return LEFT_OUT.test(part) ? "" : escaped(part);
}

const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "b", "blockquote", "br", "code", "del", "em", "h3", "hr", "i", "kbd", "li", "ol", "p", "pre", "strong", "sub",
    "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "start", "align", "target", "rel", "dir"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: NO_ADDRESSES,
  RETURN_DOM_FRAGMENT: true,
};

/**
 * A fragment of elements for Markdown. `ranges` are code points of `text`; they become `mark` elements. Null if a mark
 * would fall into something that is not shown, such as a link's address.
 */
export function markdownFragment(text, ranges) {
  const source = withSigns(text, ranges);
  const fragment = DOMPurify.sanitize(marked.parse(source), ALLOWED);
  const shown = fragment.textContent;
  const isWhole = [OPEN, CLOSE].every((sign) => shown.split(sign).length === source.split(sign).length);
  if (isWhole) markQuotes(fragment);
  return isWhole ? fragment : null;
}

/** The text with `OPEN` and `CLOSE` around each range, inside what makes a line a list item or a table row. */
function withSigns(text, ranges) {
  const points = Array.from(text.replace(RESERVED, "\uFFFD"));
  let result = "";
  let at = 0;
  for (const [start, end] of ranges) {
    const before = points.slice(at, start).join("");
    const words = points.slice(start, end).join("");
    result += before;
    for (const part of words.split(FENCE)) result += FENCE.test(part) ? part : signed(part, !result || result.endsWith("\n"));
    at = end;
  }
  return result + points.slice(at).join("");
}

/** Words of a quote between signs. */
function signed(words, isLineStart) {
  if (!words.trim()) return words;
  const lead = isLineStart ? LINE_START.exec(words)[0].length : 0;
  const tail = /[\s|]*$/.exec(words.slice(lead))[0].length;
  return words.slice(0, lead) + OPEN + words.slice(lead, words.length - tail) + CLOSE + words.slice(words.length - tail);
}

/** Replace the signs in the fragment's texts by `mark` elements. A quote may extend over several elements. */
function markQuotes(fragment) {
  const texts = [];
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode);
  let isQuoted = false;
  for (const node of texts) {
    const pieces = [];
    for (const part of node.data.split(/([\uE000\uE001])/)) {
      if (part === OPEN || part === CLOSE) isQuoted = part === OPEN;
      else if (part) pieces.push(isQuoted && part.trim() ? marking(part) : part);
    }
    node.replaceWith(...pieces);
  }
}

function marking(text) {
  const mark = document.createElement("mark");
  mark.textContent = text;
  return mark;
}
