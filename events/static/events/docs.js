"use strict";

// Dark where the rest of the admin is.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// A staff session may read the document. Requests that are tried out carry the key that is typed into "Authorize".
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.schema,
  dom_id: "#docs",
  deepLinking: false, // a link inside of each operation's button, which no keyboard and hardly a finger tells apart
  docExpansion: "list",
  validatorUrl: null, // the default is a service on the internet
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
