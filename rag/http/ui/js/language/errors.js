// The errors of the service in the reader's language.

import { t } from "./texts.js";

/**
 * What an error says to the reader. `error` has the service's `code`, `message` and perhaps `request_id`; an error of a
 * file has its code as `reason`. A code without a text, such as one of a later release, leaves the service's message.
 */
export function errorText({ code, reason = code, message = "", request_id: request }) {
  const key = `error.code.${reason}`;
  const text = t(key, { message, request: request || "–" });
  return text === key ? message : text;
}
