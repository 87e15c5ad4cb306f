// API keys: list, create, change the limits, rotate and revoke. A secret is shown once. Needs the scope `admin`.

import { currentKey, listed, posted, requestJson, setKey } from "../api/api.js";
import { t } from "../language/texts.js";
import { CopyButton } from "../shared/copy_button.js";
import { html, useEffect, useRef, useState } from "../shared/dom.js";
import { LimitsDialog, RotateDialog } from "./key_dialogs.js";
import { LimitFields, limitsIn } from "./key_limits.js";
import { KeyTable } from "./key_table.js";
import { Problem } from "./parts.js";

const SCOPES = ["ask", "generate", "ingest", "delete", "metrics", "admin"];
const pathOf = (key) => `v1/keys/${encodeURIComponent(key.id)}`;

export function Keys({ isShown, trigger, areKeysNeeded }) {
  const [keys, setKeys] = useState(null);
  const [error, setError] = useState(null);
  const [created, setCreated] = useState(null);
  const [dialog, setDialog] = useState(null);
  const attempt = async (work) => {
    try {
      await work();
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  const isOpen = !areKeysNeeded && !currentKey(); // the service's settings may have a key that is not in the list
  const load = () => attempt(async () => setKeys(await listed("v1/keys", "desc")));
  useEffect(() => void (isShown && load()), [isShown, trigger]);
  const create = (body) =>
    attempt(async () => {
      const key = await requestJson("v1/keys", posted(body));
      if (isOpen && key.scopes.includes("admin")) setKey(key.secret); // else this page locks itself out
      setCreated(key);
      await load();
    });
  const rotate = async (key, grace) => {
    const rotated = await requestJson(`${pathOf(key)}/rotate`, posted({ grace_s: grace }));
    if (isOwn(key)) setKey(rotated.secret);
    setCreated(rotated);
    await load();
  };
  const limit = async (key, limits) => {
    await requestJson(pathOf(key), posted({ limits }));
    await load();
  };
  const isOwn = (key) => currentKey().startsWith(key.prefix);
  const question = (key) => [t("keys.revoke_confirm", { name: key.name }), isOwn(key) && t("keys.revoke_own")].filter(Boolean).join(" ");
  const revoke = (key) =>
    confirm(question(key)) &&
    attempt(async () => {
      await requestJson(pathOf(key), { method: "DELETE" });
      await load();
    });
  const actions = { limits: (key) => setDialog({ key, Dialog: LimitsDialog, act: limit }), rotate: (key) => setDialog({ key, Dialog: RotateDialog, act: rotate }), revoke };
  return html`
    <section aria-label=${t("keys.title")}>
      <h2>${t("keys.title")}</h2>
      ${error && html`<${Problem} error=${error} />`}
      ${created && html`<${Secret} created=${created} onStored=${() => setCreated(null)} />`}
      ${keys && html`<${KeyTable} keys=${keys} none=${t(isOpen ? "keys.none_needed" : "keys.none")} actions=${actions} />`}
      ${keys && html`<${NewKey} isFirst=${isOpen && !keys.length} onCreate=${create} />`}
      ${dialog && html`<${dialog.Dialog} keyObject=${dialog.key} onSave=${dialog.act} onClose=${() => setDialog(null)} />`}
    </section>
  `;
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
    body.limits = limitsIn(form);
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
      </div>
      <fieldset>
        <legend>${t("keys.scopes")}</legend>
        ${SCOPES.map(
          (scope) => html`<label class="check"><input type="checkbox" name="scopes" value=${scope} defaultChecked=${scope === (isFirst ? "admin" : "ask")} /> ${scope}</label>`,
        )}
      </fieldset>
      <details>
        <summary>${t("keys.limits")}</summary>
        <${LimitFields} limits=${{}} />
      </details>
      <button class="primary">${t("keys.create")}</button>
    </form>
  `;
}
