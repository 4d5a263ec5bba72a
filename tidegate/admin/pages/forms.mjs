// What a person types: the token, an order with its reason, a request to be explained.

import { html, useState } from "./vendor/preact-htm.mjs";
import { act } from "./node.mjs";

export function SignIn({ why, signIn }) {
  const [token, setToken] = useState("");
  return html`<form class="panel dialog" onSubmit=${(event) => {
    event.preventDefault();
    signIn(token.trim());
  }}>
    <h2>This node wants to know who asks</h2>
    <p class="quiet">${why}</p>
    <label>Token <input type="password" autocomplete="off" autofocus value=${token} onInput=${(event) => setToken(event.target.value)} /></label>
    <p><button class="main">sign in</button></p>
    <p class="quiet">One of <code>admin.tokens</code>. It is kept by this tab until it is closed.</p>
  </form>`;
}

const ORDERS = {
  drain: {
    title: "Drain",
    does: "New sessions stop, its share falls over the time given, and what is in flight finishes.",
    send: ({ plural, id, over, reason, force }) => act("POST", path(plural, id, "drain"), { over, reason, force }),
  },
  undrain: {
    title: "Undrain",
    does: "Its share rises again over the time given.",
    send: ({ plural, id, over, reason }) => act("DELETE", `${path(plural, id, "drain")}?${new URLSearchParams({ over, reason })}`),
  },
  hold: {
    title: "Hold down",
    does: "No request goes there, whatever the probes say, until it is released.",
    send: ({ plural, id, reason, force }) => act("POST", path(plural, id, "override"), { state: "down", reason, force }),
  },
  clear: {
    title: "Release",
    does: "The probes decide again.",
    send: ({ plural, id, reason }) => act("POST", path(plural, id, "override"), { state: "clear", reason }),
  },
};
const path = (plural, id, what) => `/v1/${plural}/${encodeURIComponent(id)}/${what}`;

export function Order({ order, close }) {
  const [over, setOver] = useState("30s");
  const [reason, setReason] = useState("");
  const [force, setForce] = useState(false);
  const [refused, setRefused] = useState(null);
  const kind = ORDERS[order.kind];
  const takesTime = order.kind === "drain" || order.kind === "undrain";
  const submit = async (event) => {
    event.preventDefault();
    try {
      await kind.send({ ...order, over, reason, force });
      close();
    } catch (error) {
      setRefused(error);
    }
  };
  return html`<div class="veil" onKeyDown=${(event) => event.key === "Escape" && close()}>
    <form class="panel dialog" onSubmit=${submit}>
      <h2>${kind.title} <code>${order.id}</code></h2>
      <p class="quiet">${kind.does}</p>
      ${takesTime && html`<label>Over <input value=${over} onInput=${(event) => setOver(event.target.value)} /></label>`}
      <label>Reason <input autofocus maxlength="500" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
      ${refused && html`<p class="bad">✕ ${refused.message}</p>`}
      ${refused?.status === 409 && html`<label class="check"><input type="checkbox" checked=${force}
        onChange=${(event) => setForce(event.target.checked)} /> Do it all the same</label>`}
      <p><button class="main">${kind.title.toLowerCase()}</button> <button type="button" onClick=${close}>cancel</button></p>
    </form>
  </div>`;
}

export function Explain({ send }) {
  const [method, setMethod] = useState("GET");
  const [url, setUrl] = useState(location.hash.startsWith("#explain=") ? decodeURIComponent(location.hash.slice(9)) : "/");
  const [ip, setIp] = useState("127.0.0.1");
  const [found, setFound] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      const isPath = url.startsWith("/");
      setFound({ answer: await send({ method, url, client_ip: ip, headers: isPath ? { Host: location.hostname } : {} }) });
    } catch (error) {
      setFound({ error });
    }
  };
  return html`<section class="panel grow">
    <h2>Explain <small>where would this request go, and why?</small></h2>
    <form class="row" onSubmit=${submit}>
      <select onChange=${(event) => setMethod(event.target.value)} aria-label="method">
        ${["GET", "POST", "PUT", "PATCH", "DELETE"].map((one) => html`<option value=${one} selected=${one === method}>${one}</option>`)}</select>
      <input class="grow" value=${url} onInput=${(event) => setUrl(event.target.value)} aria-label="URL or path" />
      <input value=${ip} size="14" onInput=${(event) => setIp(event.target.value)} aria-label="client address" />
      <button class="main">explain</button>
    </form>
    ${found?.error && html`<p class="bad">✕ ${found.error.message}</p>`}
    ${found?.answer && html`<${Explanation} answer=${found.answer} />`}
  </section>`;
}

function Explanation({ answer }) {
  const decision = answer.decision ?? {};
  return html`<div class="explained">
    <p><b>${answer.route ?? "no route"}</b> ${decision.endpoint
      ? html`→ <code>${decision.endpoint}</code>`
      : html`→ <span class="bad">${decision.status ?? ""} ${decision.reason ?? ""}</span>`}
      <small> ${decision.endpoint ? decision.reason : decision.detail ?? ""}</small></p>
    ${answer.candidates?.length > 0 && html`<table><thead><tr><th>region</th><th>endpoint</th><th>why, or why not</th></tr></thead>
      <tbody>${answer.candidates.map((one) => html`<tr class=${one.chosen ? "chosen" : ""}>
        <td>${one.region}</td><td><code>${one.endpoint?.split("/").slice(2).join("/") ?? "–"}</code></td>
        <td>${one.reason}</td></tr>`)}</tbody></table>`}
    <details><summary>the whole answer</summary><pre>${JSON.stringify(answer, null, 2)}</pre></details>
  </div>`;
}
