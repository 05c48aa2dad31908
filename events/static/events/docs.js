"use strict";

// A staff session may read the document. Requests that are tried out carry the key that is typed into "Authorize".
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.schema,
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null, // the default is a service on the internet
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
