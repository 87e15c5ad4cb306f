import { t } from "../language/texts.js";
import { html, useEffect, useState } from "./dom.js";

/** A view whose module is loaded when it is shown first. The module's default export is the component. It gets `props`. */
export function LazyView({ load, isShown, ...props }) {
  const [loaded, setLoaded] = useState({});
  const { View, hasFailed } = loaded;
  useEffect(() => {
    if (!isShown || View) return;
    load().then(
      (module) => setLoaded({ View: module.default }),
      () => setLoaded({ hasFailed: true }),
    );
  }, [isShown]);
  if (View) return html`<${View} isShown=${isShown} ...${props} />`;
  return hasFailed ? html`<p class="failure" role="alert">${t("error.unreachable")}</p>` : null;
}
