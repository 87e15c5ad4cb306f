// Answers are Markdown with citation marks. They become HTML that DOMPurify has checked.

import { Marked } from "../../vendor/marked.mjs";
import DOMPurify from "../../vendor/purify.mjs";
import { directionOf, isMixed } from "../language/lang.js";
import { t } from "../language/texts.js";

const MARK = /^\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\()/;

/** An inline token for marks such as `[1]` and `[1, 3]`. */
const citation = {
  name: "citation",
  level: "inline",
  start: (text) => text.match(/\[\d/)?.index,
  tokenizer(text) {
    const match = MARK.exec(text);
    return match ? { type: "citation", raw: match[0], indexes: match[1].split(",").map(Number) } : undefined;
  },
  renderer: ({ indexes }) => indexes.map(button).join(""),
};

const button = (index) =>
  `<button type="button" class="cite" data-index="${index}" aria-label="${t("chat.citation", { index })}">${index}</button>`;

export const escaped = (text) => text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: [citation],
  renderer: {
    // HTML in an answer is shown as text.
    html: ({ text }) => escaped(text),
    paragraph({ tokens }) {
      return paragraph(tokens, this.parser);
    },
    // Below the question's heading, whatever level the answer chose.
    heading({ tokens }) {
      return `<h3>${this.parser.parseInline(tokens)}</h3>`;
    },
    // An image would be a request to a server that the answer's text chooses.
    image: ({ text, href }) => escaped(`${text || t("chat.image")} (${href})`),
  },
});

/** Where sentences of both directions are cited in one paragraph, each has its own, and its mark stands after it. */
function paragraph(tokens, parser) {
  const text = tokens.map(({ raw }) => raw).join("");
  const isCited = tokens.some(({ type }) => type === "citation");
  if (!isCited || !isMixed(text)) return `<p>${parser.parseInline(tokens)}</p>`;
  return `<p dir="${directionOf(text)}">${cutAtCitations(tokens).map((each) => isolated(each, parser)).join("")}</p>`;
}

/** Each citation is a part of its own. */
function cutAtCitations(tokens) {
  const cut = [[]];
  for (const token of tokens) {
    if (token.type === "citation") cut.push([token], []);
    else cut.at(-1).push(token);
  }
  return cut;
}

/** The space around a sentence stays outside: it is between the sentence and a mark. */
function isolated(tokens, parser) {
  const content = parser.parseInline(tokens);
  const [, before, sentence, after] = /^(\s*)(.*?)(\s*)$/s.exec(content);
  return !sentence || tokens[0].type === "citation" ? content : `${before}<bdi>${sentence}</bdi>${after}`;
}

/** DOMPurify takes the values of all other attributes for addresses, and leaves out those that are none. */
export const NO_ADDRESSES = ["align", "dir", "start"];

const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "bdi", "br", "hr", "h3", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong",
    "del", "a", "table", "thead", "tbody", "tr", "th", "td", "button",
  ],
  ALLOWED_ATTR: ["href", "class", "data-index", "aria-label", "type", "start", "align", "target", "rel", "dir"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: NO_ADDRESSES,
  RETURN_TRUSTED_TYPE: true,
};

const BLOCKS = "p, h3, ul, ol, blockquote, table";

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  } else if (node.matches?.(BLOCKS) && !node.hasAttribute("dir")) {
    node.setAttribute("dir", "auto");
  } else if (node.matches?.("pre")) {
    node.setAttribute("dir", "ltr");
  } else if (node.matches?.("button") && node.previousSibling?.nodeType === Node.TEXT_NODE) {
    // A citation does not stand alone at the beginning of a line.
    node.previousSibling.data = node.previousSibling.data.replace(/ $/, "\u00a0");
  }
});

/**
 * The blocks of an answer, such as its paragraphs and tables: `{source, content}`, where `content` is HTML that may be
 * put into the page. Each citation is a button with `data-index`. Blocks that are among `earlier` are not rendered again:
 * while an answer grows, these are all but the last.
 */
export function answerBlocks(text, earlier) {
  const known = new Map(earlier.map(({ source, content }) => [source, content]));
  const tokens = marked.lexer(text);
  const links = JSON.stringify(tokens.links); // a definition at the end changes the blocks that refer to it
  return tokens
    .filter((token) => token.type !== "space" && token.type !== "def")
    .map((token) => {
      const source = token.raw + links;
      return { source, content: known.get(source) ?? DOMPurify.sanitize(marked.parser([token]), ALLOWED) };
    });
}
