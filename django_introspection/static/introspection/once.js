/* Send a form once: the browser drops the answer to the first of two clicks, and a value in it would never be seen. */
"use strict";

const PAUSE = 5000; /* milliseconds; then the form can be sent again, in case nothing came back */
let sent = -PAUSE;

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (performance.now() - sent < PAUSE) event.preventDefault();
  else sent = performance.now();
});
