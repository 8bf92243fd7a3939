/* Copy the text of an element. Each button names it; a snippet gets the secret of this page where its stand-in is. */
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const status = document.getElementById("copy-status");
    const { fill } = button.dataset;
    const secret = () => document.getElementById("client-secret").textContent;
    const text = fill ? source.textContent.replaceAll(fill, secret) : source.textContent;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = status.dataset.copied;
    } catch {
      getSelection().selectAllChildren(source);
      status.textContent = status.dataset.failed;
    }
  });
}
