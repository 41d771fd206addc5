// Light or dark theme: that of TensorBoard, or of the system on a page of its own.

import { shownWindow } from "./state.js";

export function followTheme() {
  const shown = shownWindow();
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = shown === window ? system.matches : shown.document.body.classList.contains("dark-mode");
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  if (shown === window) {
    system.addEventListener("change", apply);
    return;
  }
  const observer = new MutationObserver(apply);
  observer.observe(shown.document.body, { attributeFilter: ["class"] });
  addEventListener("pagehide", () => observer.disconnect());
}
