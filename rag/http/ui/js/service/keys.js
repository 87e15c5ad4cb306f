// API keys: list, create (the secret is shown once) and revoke. Needs the scope `admin`.

import { hasKey, listed, posted, requestJson, setKey } from "../api.js";
import { CopyButton } from "../copy_button.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { dateTime } from "../numbers.js";
import { t } from "../texts.js";
import { Problem, Table } from "./parts.js";

const SCOPES = ["ask", "generate", "ingest", "delete", "metrics", "admin"];

export function Keys({ isShown, trigger, areKeysNeeded }) {
  const [keys, setKeys] = useState(null);
  const [error, setError] = useState(null);
  const [created, setCreated] = useState(null);
  const attempt = async (work) => {
    try {
      await work();
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  const isOpen = !areKeysNeeded && !hasKey(); // the service's settings may have a key that is not in the list
  const load = () => attempt(async () => setKeys(await listed("v1/keys", "desc")));
  useEffect(() => void (isShown && load()), [isShown, trigger]);
  const create = (body) =>
    attempt(async () => {
      const key = await requestJson("v1/keys", posted(body));
      if (isOpen && key.scopes.includes("admin")) setKey(key.secret); // else this page locks itself out
      setCreated(key);
      await load();
    });
  const revoke = (key) =>
    confirm(t("keys.revoke_confirm", { name: key.name })) &&
    attempt(async () => {
      await requestJson(`v1/keys/${encodeURIComponent(key.id)}`, { method: "DELETE" });
      await load();
    });
  return html`
    <section aria-label=${t("keys.title")}>
      <h2>${t("keys.title")}</h2>
      ${error && html`<${Problem} error=${error} />`}
      ${created && html`<${Secret} created=${created} onStored=${() => setCreated(null)} />`}
      ${keys && html`<${KeyTable} keys=${keys} none=${t(isOpen ? "keys.none_needed" : "keys.none")} onRevoke=${revoke} />`}
      ${keys && html`<${NewKey} isFirst=${isOpen && !keys.length} onCreate=${create} />`}
    </section>
  `;
}

function KeyTable({ keys, none, onRevoke }) {
  const rows = keys.map((key) => ({
    key: key.id,
    cells: [
      html`<bdi>${key.name}</bdi>`,
      html`<code>${key.prefix}…</code>`,
      html`<bdi>${key.tenant}</bdi>`,
      key.scopes.join(", "),
      t(`keys.status.${key.status}`),
      dateTime(key.last_used_at),
      dateTime(key.expires_at),
      key.status === "active" &&
        html`<button type="button" class="small danger" aria-label=${t("keys.revoke_named", { name: key.name })} onClick=${() => onRevoke(key)}>${t("keys.revoke")}</button>`,
    ],
  }));
  const names = ["name", "prefix", "tenant", "scopes", "status", "last_used", "expires", "revoke"].map((name) => t(`keys.${name}`));
  return html`<${Table} title=${t("keys.title")} names=${names} rows=${rows} none=${none} />`;
}

function Secret({ created, onStored }) {
  const box = useRef();
  useEffect(() => box.current.focus(), [created]);
  return html`
    <div class="notice secret" tabindex="-1" ref=${box} role="group" aria-label=${t("keys.secret", { name: created.name })}>
      <p>${t("keys.secret", { name: created.name })}</p>
      <p><code>${created.secret}</code></p>
      <div class="actions">
        <${CopyButton} text=${() => created.secret} />
        <button type="button" onClick=${onStored}>${t("keys.stored")}</button>
      </div>
    </div>
  `;
}

function NewKey({ isFirst, onCreate }) {
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = { name: form.get("name"), scopes: form.getAll("scopes") };
    if (form.get("tenant")) body.tenant = form.get("tenant");
    if (form.get("expires")) body.expires_at = Math.floor(new Date(`${form.get("expires")}T23:59:59`).getTime() / 1000);
    if (form.get("limit")) body.limits = { requests_per_minute: Number(form.get("limit")) };
    event.currentTarget.reset();
    onCreate(body);
  };
  return html`
    <form class="new-key" onSubmit=${submit} aria-label=${t("keys.create")}>
      <h3>${t("keys.create")}</h3>
      ${isFirst && html`<p class="notice">${t("keys.first")}</p>`}
      <div class="fields">
        <label><span>${t("keys.name")}</span><input name="name" required maxlength="256" autocomplete="off" /></label>
        <label><span>${t("keys.tenant")}</span><input name="tenant" placeholder="default" pattern="[a-z0-9][a-z0-9_.\\-]*" maxlength="63" autocomplete="off" /></label>
        <label><span>${t("keys.expires_after")}</span><input name="expires" type="date" /></label>
        <label><span>${t("keys.limit")}</span><input name="limit" type="number" min="1" max="1000000" placeholder=${t("keys.no_limit")} /></label>
      </div>
      <fieldset>
        <legend>${t("keys.scopes")}</legend>
        ${SCOPES.map(
          (scope) => html`<label class="check"><input type="checkbox" name="scopes" value=${scope} defaultChecked=${scope === (isFirst ? "admin" : "ask")} /> ${scope}</label>`,
        )}
      </fieldset>
      <button class="primary">${t("keys.create")}</button>
    </form>
  `;
}
