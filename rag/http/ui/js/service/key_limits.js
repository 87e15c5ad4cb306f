// The limits of an API key, by their names in the API.

import { count } from "../language/numbers.js";
import { t } from "../language/texts.js";
import { html } from "../shared/dom.js";

/** The least value of each. */
const LIMITS = {
  requests_per_minute: 1,
  tokens_per_minute: 1,
  tokens_per_day: 1,
  max_vector_stores: 0,
  max_documents: 0,
  max_stored_bytes: 0,
  max_unfinished_jobs: 1,
  max_kept_bytes: 0,
};
const NAMES = Object.keys(LIMITS);
const isSet = (value) => value !== null && value !== undefined;

/** A text for each limit that is set. */
export const limitTexts = (limits) =>
  NAMES.filter((name) => isSet(limits?.[name])).map((name) => `${t(`keys.limit.${name}`)}: ${count(limits[name])}`);

export const LimitFields = ({ limits }) => html`
  <div class="fields">
    ${NAMES.map(
      (name) => html`
        <label>
          <span>${t(`keys.limit.${name}`)}</span>
          <input name=${name} type="number" min=${LIMITS[name]} step="1" defaultValue=${limits?.[name] ?? ""} placeholder=${t("keys.no_limit")} />
        </label>
      `,
    )}
  </div>
`;

/** The limits in a form; null where there is none. */
export const limitsIn = (form) => Object.fromEntries(NAMES.map((name) => [name, form.get(name) ? Number(form.get(name)) : null]));
