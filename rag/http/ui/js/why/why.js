// Why passages are found: a question is searched for with one or two settings, and each candidate is explained.

import "../language/view_texts.js";
import { posted, requestJson } from "../api/api.js";
import { t } from "../language/texts.js";
import { CopyButton } from "../shared/copy_button.js";
import { html, useEffect, useRef, useState } from "../shared/dom.js";
import { StoreSelect } from "../shared/store_select.js";
import { linkTo } from "../sources/address.js";
import { Result } from "./result.js";
import { retrievalOf, Settings } from "./settings.js";
import { addressOf, EMPTY, stateIn } from "./state.js";

const FILTER_EXAMPLE = '{"type": "eq", "key": "filename", "value": "guide.md"}';

export default function Why({ stores, isShown }) {
  const [state, setState] = useState(() => stateIn(location.hash) ?? EMPTY);
  const [results, search] = useSearches();
  const heading = useRef();
  const set = (changes) => setState({ ...state, ...changes });
  useEffect(() => {
    const opened = () => {
      const linked = stateIn(location.hash);
      if (!linked) return;
      setState(linked);
      search(linked);
      heading.current.focus(); // the button that opened this is in a hidden view
    };
    opened();
    addEventListener("hashchange", opened);
    return () => removeEventListener("hashchange", opened);
  }, []);
  const submit = (event) => {
    event.preventDefault();
    history.replaceState(null, "", addressOf(state));
    search(state);
  };
  const setting = (name, result) => html`
    <${Settings}
      title=${t(state.second ? `why.${name}` : "why.settings")}
      chosen=${state[name]}
      effective=${result?.found && effectiveSettings(result.found.explain)}
      onChange=${(chosen) => set({ [name]: chosen })}
    />
  `;
  return html`
    <div class="page why">
      <form onSubmit=${submit}>
        <h2 tabindex="-1" ref=${heading}>${t("why.title")}</h2>
        <p class="muted">${t("why.intro")}</p>
        <${Question} state=${state} set=${set} stores=${stores} />
        <div class=${state.second ? "columns two" : "columns"}>
          ${setting("first", results[0])} ${state.second && setting("second", results[1])}
        </div>
        <div class="actions">
          <button class="primary" disabled=${!state.question.trim()}>${t("why.search")}</button>
          <button type="button" aria-pressed=${Boolean(state.second)} onClick=${() => set({ second: state.second ? null : { ...state.first } })}>
            ${t("why.compare")}
          </button>
          <${CopyButton} label="why.copy_link" text=${() => linkTo(addressOf(state))} />
        </div>
      </form>
      <div class=${results.length > 1 ? "columns two" : "columns"}>
        ${results.map(
          (result, place) => html`
            <${Result}
              key=${place}
              result=${result}
              name=${results.length > 1 ? t(place ? "why.second" : "why.first") : t("why.result")}
              other=${results[1 - place]}
              otherName=${t(place ? "why.first" : "why.second")}
            />
          `,
        )}
      </div>
    </div>
  `;
}

function Question({ state, set, stores }) {
  return html`
    <div class="fields">
      <label class="wide">
        <span>${t("chat.question")}</span>
        <input required maxlength="100000" dir="auto" value=${state.question} onInput=${(event) => set({ question: event.currentTarget.value })} />
      </label>
      <${StoreSelect} value=${state.store} stores=${stores} onChange=${(store) => set({ store })} />
    </div>
    ${state.history.length > 0 &&
    html`<p class="notice with-action">
      ${t("why.history", { count: state.history.length })}
      <button type="button" onClick=${() => set({ history: [] })}>${t("why.without_history")}</button>
    </p>`}
    <details open=${Boolean(state.filters)}>
      <summary>${t("why.filters")}</summary>
      <label>
        <span>${t("why.filters_hint", { example: FILTER_EXAMPLE })}</span>
        <textarea rows="2" spellcheck=${false} value=${state.filters} onInput=${(event) => set({ filters: event.currentTarget.value })}></textarea>
      </label>
    </details>
  `;
}

/** The settings that a search had in the end. */
const effectiveSettings = ({ options, prompt }) => ({ ...options, style: prompt?.style });

/** One result for each settings, `{found}` or `{error}` or neither yet; and the function that starts the searches. */
function useSearches() {
  const [results, setResults] = useState([]);
  const running = useRef(null);
  const search = async (state) => {
    running.current?.abort();
    if (!state.question.trim()) return setResults([]);
    const { signal } = (running.current = new AbortController());
    const all = [state.first, state.second].filter(Boolean);
    setResults(all.map(() => ({})));
    await Promise.all(
      all.map(async (chosen, place) => {
        const result = { question: state.question, history: state.history, ...(await searched(state, chosen, signal)) };
        if (!signal.aborted) setResults((before) => before.map((each, at) => (at === place ? result : each)));
      }),
    );
  };
  return [results, search];
}

async function searched(state, chosen, signal) {
  try {
    const body = { query: state.question, vector_store: state.store, retrieval: retrievalOf(chosen), explain: true };
    if (chosen.style) body.style = chosen.style;
    if (state.history.length) body.history = state.history;
    if (state.filters.trim()) body.filters = filtersOf(state.filters);
    return { found: await requestJson("retrieve", posted(body, { signal })) };
  } catch (error) {
    return { error };
  }
}

function filtersOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(t("why.filters_wrong"));
  }
}
