/** The theme that the host page declares; null when it declares none. */
export function hostTheme(page: Document): "light" | "dark" | null {
  const { body, documentElement: html } = page;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "true" ? "light" : "dark";
  const code = body.dataset.vscodeThemeKind;
  if (code !== undefined) return code.endsWith("light") ? "light" : "dark";
  for (const element of [html, body]) {
    const declared = element.getAttribute("data-theme") ?? element.getAttribute("theme");
    if (declared === "dark" || declared === "light") return declared;
    if (element.classList.contains("dark")) return "dark";
    if (element.classList.contains("light")) return "light";
  }
  return null;
}

/** Keep `data-theme` of the host element in step with the page until `signal` aborts. */
export function followTheme(host: HTMLElement, signal: AbortSignal): void {
  const page = host.ownerDocument;
  const preference = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    host.dataset.theme = hostTheme(page) ?? (preference.matches ? "dark" : "light");
  };
  const observer = new MutationObserver(apply);
  const attributeFilter = [
    "data-jp-theme-light",
    "data-vscode-theme-kind",
    "data-theme",
    "theme",
    "class",
  ];
  observer.observe(page.body, { attributes: true, attributeFilter });
  observer.observe(page.documentElement, { attributes: true, attributeFilter });
  preference.addEventListener("change", apply, { signal });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  apply();
}
