// Moves a vector store to another embedding model, and back. The progress is that of its job.

import { forgetIndex, models, reindex, rollBack } from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { t } from "./texts.js";

export function Reindexing({ store, stores, onStarted }) {
  const current = stores.list.find((each) => each.id === store);
  const [model, setModel] = useState("");
  const [known, setKnown] = useState([]);
  const [state, setState] = useState({ isBusy: false, error: "", done: "" });
  useEffect(() => {
    const names = (list) => list.filter((each) => each.kind === "embedding").map((each) => each.id);
    models().then((list) => setKnown(names(list)), () => {});
  }, []);
  const act = (name, action) => async () => {
    setState({ isBusy: true, error: "", done: "" });
    try {
      await action();
      setState({ isBusy: false, error: "", done: t(`reindex.${name}_done`) });
      onStarted();
    } catch (error) {
      setState({ isBusy: false, error: error.message, done: "" });
    }
  };
  const button = (name, action, isOff = false) => html`
    <button type="button" disabled=${state.isBusy || isOff} onClick=${act(name, action)}>${t(`reindex.${name}`)}</button>
  `;
  return html`
    <details class="reindexing">
      <summary>${t("reindex.title")}${current ? html` <bdi>${current.embedder}</bdi>` : ""}</summary>
      <div class="fields">
        <p class="note">${t("reindex.text")}</p>
        <label>
          <span>${t("reindex.model")}</span>
          <input list="embedders" value=${model} onInput=${(event) => setModel(event.currentTarget.value.trim())} />
        </label>
        <datalist id="embedders">${known.map((name) => html`<option value=${name} />`)}</datalist>
        <div class="actions">
          ${button("move", () => reindex(store, model), !model)} ${button("rebuild", () => reindex(store, null))}
          ${button("back", () => rollBack(store))} ${button("forget", () => forgetIndex(store))}
        </div>
        ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
        <p role="status">${state.done}</p>
      </div>
    </details>
  `;
}
