// Asks for an API key when the service needs one. The key is kept until the tab is closed.

import { currentKey, onKeyNeeded, setKey } from "../api/api.js";
import { t } from "../language/texts.js";
import { html, useEffect, useRef, useState } from "./dom.js";

export function SignIn({ onSignedIn }) {
  const [state, setState] = useState("hidden");
  const field = useRef();
  useEffect(() => onKeyNeeded(() => setState(currentKey() ? "refused" : "needed")), []);
  useEffect(() => {
    if (state !== "hidden") field.current?.focus();
  }, [state]);
  if (state === "hidden") return null;
  const signIn = (event) => {
    event.preventDefault();
    setKey(field.current.value.trim());
    setState("hidden");
    onSignedIn();
  };
  return html`
    <form class="sign-in" onSubmit=${signIn}>
      <label for="key">${t(state === "refused" ? "key.refused" : "key.needed")}</label>
      <input id="key" ref=${field} type="password" autocomplete="off" spellcheck=${false} required />
      <button class="primary">${t("key.use")}</button>
    </form>
  `;
}
