// Moves a vector store to another embedding model, and back. The progress is that of its job.

import { forgetIndex, models, reindex, rollBack } from "../api/api.js";
import { t } from "../language/texts.js";
import { html, useEffect, useState } from "../shared/dom.js";
import { useAction } from "../shared/use_action.js";

export function Reindexing({ store, stores, onStarted }) {
  const current = stores.list.find((each) => each.id === store);
  const [model, setModel] = useState("");
  const [known, setKnown] = useState([]);
  const [done, setDone] = useState("");
  const [state, run] = useAction();
  useEffect(() => {
    const names = (list) => list.filter((each) => each.kind === "embedding").map((each) => each.id);
    models().then((list) => setKnown(names(list)), () => {});
  }, []);
  const act = (name, action) => () => {
    setDone("");
    run(async () => {
      await action();
      setDone(t(name === "forget" ? "reindex.dropped" : "reindex.started"));
      onStarted();
    });
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
          <span>${t("options.model")}</span>
          <input list="embedders" value=${model} onInput=${(event) => setModel(event.currentTarget.value.trim())} />
        </label>
        <datalist id="embedders">${known.map((name) => html`<option value=${name} />`)}</datalist>
        <div class="actions">
          ${button("move", () => reindex(store, model), !model)} ${button("rebuild", () => reindex(store, null))}
          ${button("back", () => rollBack(store))} ${button("forget", () => forgetIndex(store))}
        </div>
        ${state.error && html`<p class="failure" role="alert">${state.error}</p>`}
        <p role="status">${done}</p>
      </div>
    </details>
  `;
}
