// The dashboard of one node: looks every two seconds and at every event, and draws what it saw.

import { html, render, useEffect, useState } from "./vendor/preact-htm.mjs";
import { act, ask, follow, hasToken, keepToken } from "./node.mjs";
import { rates } from "./rates.mjs";
import { Decisions, Endpoints, Events, Nodes, Regions, Routes, Sync, Top, World } from "./views.mjs";
import { Explain, Order, SignIn } from "./forms.mjs";

const EVERY_MS = 2000;
const EVENTS_KEPT = 40;
const TREND_KEPT = 60;

async function look() {
  const [status, regions, traffic, nodes, decisions, sync] = await Promise.all(
    ["status", "regions", "traffic", "nodes", "decisions?limit=12", "sync/lag"].map((path) => ask(`/v1/${path}`)),
  );
  const services = await Promise.all(
    status.services.map((id) => ask(`/v1/services/${encodeURIComponent(id)}/endpoints`)),
  );
  return { status, regions: regions.regions, traffic, nodes, decisions: decisions.decisions, services, sync };
}

function Dashboard() {
  const [seen, setSeen] = useState(null);
  const [refused, setRefused] = useState(null);
  const [events, setEvents] = useState([]);
  const [order, setOrder] = useState(null);
  const [session, setSession] = useState(0);

  useEffect(() => {
    const stop = new AbortController();
    let last = null;
    let timer = 0;
    let trend = [];
    const again = async () => {
      clearTimeout(timer);
      try {
        const now = await look();
        if (stop.signal.aborted) return;
        const routes = last ? rates(last.traffic, now.traffic) : null;
        if (routes) trend = [...trend, routes.reduce((sum, one) => sum + one.rate, 0)].slice(-TREND_KEPT);
        setSeen({ ...now, routes: routes ?? last?.routes ?? [], trend });
        last = { ...now, routes: routes ?? last?.routes };
        setRefused(null);
      } catch (error) {
        if (!stop.signal.aborted) setRefused(error);
      }
      clearTimeout(timer);
      timer = setTimeout(again, document.hidden ? 5 * EVERY_MS : EVERY_MS);
    };
    again();
    follow(stop.signal, (kind, data) => {
      if (kind === "state") return;
      setEvents((known) => [{ kind, data, at: new Date() }, ...known].slice(0, EVENTS_KEPT));
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [session]);

  const signIn = (token) => {
    keepToken(token);
    setSession(session + 1);
  };
  if (refused && (refused.status === 401 || refused.status === 403) && !seen) {
    return html`<${SignIn} why=${refused.message} signIn=${signIn} />`;
  }
  if (!seen) return html`<p class="quiet">${refused ? refused.message : "Asking the node …"}</p>`;
  return html`
    <${Top} seen=${seen} refused=${refused} signOut=${hasToken() ? () => signIn(null) : null}
      signIn=${hasToken() ? null : () => setOrder({ kind: "sign-in" })} />
    <div class="wide"><${World} seen=${seen} /></div>
    <${Regions} seen=${seen} ask=${setOrder} />
    <div class="columns">
      <${Routes} routes=${seen.routes} />
      <${Explain} send=${(asked) => act("POST", "/v1/explain", asked)} />
    </div>
    <${Endpoints} services=${seen.services} status=${seen.status} ask=${setOrder} />
    <${Sync} sync=${seen.sync} />
    <div class="columns">
      <${Decisions} decisions=${seen.decisions} />
      <${Events} events=${events} />
      <${Nodes} nodes=${seen.nodes} />
    </div>
    ${order?.kind === "sign-in" &&
    html`<div class="veil"><${SignIn} why="An order needs a token with the role operator." signIn=${(token) => {
      setOrder(null);
      if (token) signIn(token);
    }} /></div>`}
    ${order && order.kind !== "sign-in" && html`<${Order} order=${order} close=${() => setOrder(null)} />`}
  `;
}

document.getElementById("app").replaceChildren();
render(html`<${Dashboard} />`, document.getElementById("app"));
