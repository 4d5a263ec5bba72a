// What the dashboard draws. Colour never stands alone: health has a sign and a word.

import { html } from "./vendor/preact-htm.mjs";
import { LAND } from "./land.mjs";
import { byRegion } from "./rates.mjs";

const SIGNS = { up: "●", degraded: "◐", down: "✕", untested: "○" };

export const duration = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(1)} s`;
};
const perSecond = (rate) => `${rate >= 100 ? Math.round(rate).toLocaleString("en") : rate.toFixed(1)}/s`;
const percent = (share) => `${(share * 100).toFixed(share && share < 0.1 ? 1 : 0)} %`;
const ago = (unix) => {
  if (!unix) return "–";
  const seconds = Math.max(0, Date.now() / 1000 - unix);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
};
const clock = (when) => new Date(when).toLocaleTimeString("en-GB");

function Health({ health }) {
  return html`<span class="health ${health}"><span aria-hidden="true">${SIGNS[health] ?? "?"}</span> ${health}</span>`;
}

function Panel({ title, note, children, grow }) {
  return html`<section class=${grow ? "panel grow" : "panel"}>
    <h2>${title} ${note && html`<small>${note}</small>`}</h2>
    ${children}
  </section>`;
}

export function Top({ seen, refused, signIn, signOut }) {
  const { status, routes, trend } = seen;
  const rate = routes.reduce((sum, one) => sum + one.rate, 0);
  const wrong = status.degraded;
  const leader = status.leadership;
  return html`<header>
    <div class="brand"><img src="/dashboard/icon.svg" alt="" width="28" height="28" /><h1>Tidegate</h1>
      <span class="pill">${status.node}</span><span class="quiet">${status.region}</span></div>
    <dl>
      <div><dt>state</dt><dd class=${status.state === "ready" && !wrong.length ? "good" : "warn"}>${status.state}</dd></div>
      <div><dt>requests</dt><dd>${perSecond(rate)} <${Trend} values=${trend} /></dd></div>
      <div><dt>leading region</dt><dd>${status.primary ?? "–"}</dd></div>
      <div><dt>leader</dt><dd title=${leader.reason ?? ""}>${leader.leader ?? "none"} ${leader.leader && html`<small>epoch ${leader.epoch}</small>`}</dd></div>
      <div><dt>configuration</dt><dd title=${status.config.file}><code>${status.config.digest.slice(0, 8)}</code></dd></div>
      <div><dt>version</dt><dd>${status.tidegate}</dd></div>
    </dl>
    <div>${signIn && html`<button onClick=${signIn}>sign in</button>`}
      ${signOut && html`<button onClick=${signOut}>sign out</button>`}</div>
    ${refused && html`<p class="banner bad">✕ ${refused.message} What follows was seen before.</p>`}
    ${wrong.length > 0 && html`<ul class="banner warn">${wrong.map((why) => html`<li>${why}</li>`)}</ul>`}
  </header>`;
}

function Trend({ values }) {
  if (values.length < 2) return null;
  const top = Math.max(...values, 1);
  const step = 80 / (values.length - 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(18 - (value / top) * 16).toFixed(1)}`).join(" ");
  return html`<svg class="trend" viewBox="0 0 80 20" aria-hidden="true"><polyline points=${points} /></svg>`;
}

const place = ({ latitude, longitude }) => ({ x: 2 * (longitude + 180), y: 2 * (90 - latitude) });

/** The regions where they are, and this node's traffic to each as an arc. */
export function World({ seen }) {
  const shares = byRegion(seen.routes);
  const total = Object.values(shares).reduce((sum, one) => sum + one, 0);
  const placed = seen.regions.filter((one) => one.location).map((one) => ({ ...one, ...place(one.location) }));
  const home = placed.find((one) => one.region === seen.status.region);
  return html`<svg class="world" viewBox="0 20 720 270" role="img" aria-label="The regions on a map of the world">
    <path class="land" d=${LAND} />
    ${home && placed.filter((one) => one !== home && shares[one.region]).map((one) => {
      const lift = Math.min(60, Math.hypot(one.x - home.x, one.y - home.y) / 4);
      const bend = `${(one.x + home.x) / 2} ${(one.y + home.y) / 2 - lift}`;
      const width = 0.8 + 4 * (shares[one.region] / total);
      return html`<path class="arc" style=${{ strokeWidth: width }} d="M${home.x} ${home.y}Q${bend} ${one.x} ${one.y}" />`;
    })}
    ${placed.map((one) => html`<g class="spot ${one.reachable_from_here.health}">
      <circle cx=${one.x} cy=${one.y} r=${4 + 7 * Math.sqrt(total ? (shares[one.region] ?? 0) / total : 0)} />
      <text x=${one.x} y=${one.y + 21}>${SIGNS[one.reachable_from_here.health]} ${one.region}</text>
    </g>`)}
  </svg>`;
}

export function Regions({ seen, ask }) {
  const shares = byRegion(seen.routes);
  const total = Object.values(shares).reduce((sum, one) => sum + one, 0);
  return html`<div class="cards">${seen.regions.map((one) => {
    const here = one.reachable_from_here;
    const drain = one.drain;
    const share = total ? (shares[one.region] ?? 0) / total : 0;
    const isDrained = drain.state === "draining" || drain.state === "drained";
    return html`<article class="card ${here.health}" key=${one.region}>
      <h3>${one.region} <small>${one.name}</small>${one.leads && html` <span class="pill">leads</span>`}
        ${one.region === seen.status.region && html` <span class="pill">here</span>`}</h3>
      <p><${Health} health=${here.health} /> <small>${here.reason}, for ${ago(here.since)}</small></p>
      <dl>
        <div><dt>endpoints</dt><dd>${here.healthy} of ${here.total}</dd></div>
        <div><dt>round trip</dt><dd>${duration(here.rtt_s)}</dd></div>
        <div><dt>from here</dt><dd>${perSecond(shares[one.region] ?? 0)} <small>${percent(share)}</small></dd></div>
        <div><dt>role</dt><dd>${one.role}</dd></div>
      </dl>
      <div class="bar" title="share of this node's requests"><i style=${{ width: `${share * 100}%` }}></i></div>
      ${drain.state !== "serving" && html`<p class="warn">${drain.state}: ${percent(drain.share)} of its weight, ${drain.in_flight} in flight, ${drain.streams} streams
        <progress max="1" value=${drain.state === "undraining" ? drain.share : 1 - drain.share}></progress>
        <small>${drain.author}${drain.reason && `: ${drain.reason}`}</small></p>`}
      <button onClick=${() => ask({ kind: isDrained ? "undrain" : "drain", plural: "regions", id: one.region })}>
        ${isDrained ? "undrain" : "drain"} …</button>
    </article>`;
  })}</div>`;
}

export function Routes({ routes }) {
  return html`<${Panel} title="Routes" note="last two seconds" grow>
    <table><thead><tr><th>route</th><th>rate</th><th>errors</th><th>refused</th><th>p50</th><th>p95</th><th>goes to</th></tr></thead>
    <tbody>${routes.map((one) => html`<tr key=${one.route}>
      <td>${one.route || html`<i>no route</i>`}</td>
      <td class="number">${one.rate ? perSecond(one.rate) : html`<span class="quiet">–</span>`}</td>
      <td class="number ${one.errors ? "bad" : ""}">${one.errors ? percent(one.errors) : "–"}</td>
      <td class="number">${one.refused ? perSecond(one.refused) : "–"}</td>
      <td class="number">${duration(one.p50_s)}</td>
      <td class="number">${duration(one.p95_s)}</td>
      <td>${Object.entries(one.regions).sort((a, b) => b[1] - a[1]).map(([region, rate]) =>
        html`<span class="pill">${region} ${percent(rate / one.rate)}</span> `)}</td>
    </tr>`)}</tbody></table>
    ${routes.length === 0 && html`<p class="quiet">No request yet.</p>`}
  <//>`;
}

export function Endpoints({ services, status, ask }) {
  const counted = new Map(status.endpoints.map((one) => [one.endpoint, one]));
  const verdicts = new Map(status.service_health.map((one) => [one.service, one]));
  return html`${services.map(({ service, endpoints }) => html`<${Panel} key=${service}
    title=${html`Service ${service} <${Health} health=${verdicts.get(service)?.health} />`} note=${verdicts.get(service)?.reason}>
    <table><thead><tr><th>endpoint</th><th>region</th><th>health</th><th>why</th><th>probes</th><th>round trip</th>
      <th>in flight</th><th>attempts</th><th>failed</th><th></th></tr></thead>
    <tbody>${endpoints.map((one) => {
      const count = counted.get(one.endpoint) ?? {};
      const failed = (count.failures ?? 0) + (count.connect_failures ?? 0);
      return html`<tr key=${one.endpoint}>
        <td><code>${one.endpoint.split("/").slice(2).join("/")}</code></td>
        <td>${one.region}</td>
        <td><${Health} health=${one.health} />${one.override && html` <span class="pill warn">held ${one.override.state}</span>`}
          ${one.operator && one.operator.share < 1 && html` <span class="pill warn">${percent(one.operator.share)} of its weight</span>`}</td>
        <td class="why">${one.operator?.reason || one.reason}</td>
        <td class="probes">${one.history.slice(-12).map((probe) =>
          html`<i class=${probe.passed ? "up" : "down"} title=${`${clock(probe.at)} ${probe.reason}, ${duration(probe.took_s)}`}></i>`)}</td>
        <td class="number">${duration(one.rtt_s)}</td>
        <td class="number">${count.in_flight ?? 0}</td>
        <td class="number">${(count.attempts ?? 0).toLocaleString("en")}</td>
        <td class="number ${failed ? "bad" : ""}">${failed || "–"}</td>
        <td><button onClick=${() => ask({ kind: one.override ? "clear" : "hold", plural: "endpoints", id: one.endpoint })}>
          ${one.override ? "release" : "hold down"} …</button></td>
      </tr>`;
    })}</tbody></table>
  <//>`)}`;
}

export function Sync({ sync }) {
  if (!sync.enabled) return null;
  return html`<${Panel} title="Data sync" note=${sync.problem ?? "how far each region's copy is behind another's"}>
    <table><thead><tr><th>region</th><th>behind</th><th>by operations</th><th>by time</th><th></th></tr></thead>
    <tbody>${sync.regions.map((one) => html`<tr key=${`${one.region} ${one.behind}`}>
      <td>${one.region}</td><td>${one.behind}</td>
      <td class="number">${one.operations ?? "unknown"}</td><td class="number">${duration(one.seconds)}</td>
      <td class=${one.level === "ok" ? "quiet" : "warn"}>${one.level}</td>
    </tr>`)}</tbody></table>
  <//>`;
}

const TONES = { begun: "quiet", done: "good", refused: "bad", failed: "bad" };

export function Decisions({ decisions }) {
  return html`<${Panel} title="Decisions" grow>
    <ol class="feed">${decisions.map((one) => html`<li key=${one.id}>
      <time>${clock(one.at)}</time> <b>${one.what}</b> ${one.target} <span class=${TONES[one.outcome] ?? "warn"}>${one.outcome}</span>
      <small>${one.author}: ${one.why || "no reason given"}${one.detail && ` (${one.detail})`}</small></li>`)}</ol>
    ${decisions.length === 0 && html`<p class="quiet">Nothing has been decided yet.</p>`}
  <//>`;
}

const SAID = {
  region: (one) => `region ${one.region}: ${one.gone ? "gone" : `${one.health}, ${one.reason}`}`,
  service: (one) => `service ${one.service}: ${one.gone ? "gone" : `${one.health}, ${one.reason}`}`,
  endpoint: (one) => `${one.endpoint}: ${one.gone ? "gone" : `${one.health}, ${one.reason}`}`,
  drain: (one) => `${one.target}: ${one.gone ? "serving again" : `${one.state}, ${percent(one.share)} of its weight`}`,
  decision: (one) => `${one.what} ${one.target} by ${one.author}: ${one.outcome}`,
  leader: (one) => `leader ${one.node ?? "none"}, leading region ${one.region ?? "none"}`,
};

export function Events({ events }) {
  return html`<${Panel} title="Events" note="since this page was opened" grow>
    <ol class="feed">${events.map((one) => html`<li><time>${clock(one.at)}</time> ${(SAID[one.kind] ?? JSON.stringify)(one.data)}</li>`)}</ol>
    ${events.length === 0 && html`<p class="quiet">Nothing has changed.</p>`}
  <//>`;
}

export function Nodes({ nodes }) {
  return html`<${Panel} title="Nodes" note=${nodes.election ?? ""} grow>
    <table><thead><tr><th>node</th><th>region</th><th>state</th><th>configuration</th><th>in flight</th></tr></thead>
    <tbody>${nodes.nodes.map((one) => html`<tr key=${one.node}>
      <td>${one.node} ${one.leader && html`<span class="pill">leader</span>`}</td><td>${one.region}</td><td>${one.state}</td>
      <td class=${one.same_config ? "" : "bad"}><code>${one.config.slice(0, 8)}</code>${!one.same_config && " differs"}</td>
      <td class="number">${one.in_flight}</td></tr>`)}</tbody></table>
    ${nodes.unreached.map((one) => html`<p class="bad">✕ ${one.address}: ${one.reason}</p>`)}
  <//>`;
}
