import { html, useEffect, useState } from "./dom.js";
import { t } from "./texts.js";

/** A view whose module is loaded when it is shown first. The module's default export is the component. */
export function LazyView({ load, isShown, stores }) {
  const [loaded, setLoaded] = useState({});
  const { View, hasFailed } = loaded;
  useEffect(() => {
    if (!isShown || View) return;
    load().then(
      (module) => setLoaded({ View: module.default }),
      () => setLoaded({ hasFailed: true }),
    );
  }, [isShown]);
  if (View) return html`<${View} stores=${stores} isShown=${isShown} />`;
  return hasFailed ? html`<p class="failure" role="alert">${t("error.unreachable")}</p>` : null;
}
