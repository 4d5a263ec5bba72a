// How the page asks its node: JSON with the person's token, and the stream of events.

const TOKEN = "tidegate.token";

/** What a problem document said, or that nobody answered (status 0). */
export class Refused extends Error {
  constructor(status, reason, detail) {
    super(detail);
    this.status = status;
    this.reason = reason;
  }
}

export function keepToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

async function send(method, path, body, signal) {
  const headers = {};
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    throw new Refused(0, "unreachable", `The node does not answer (${error.message}).`);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem.reason ?? "", problem.detail ?? `The node answered ${response.status}.`);
}

export const ask = async (path) => (await send("GET", path)).json();
export const act = async (method, path, body) => (await send(method, path, body)).json();

/** Server-sent events, read with fetch: EventSource cannot carry a token. Ends by itself only when `signal` says so. */
export async function follow(signal, tell) {
  while (!signal.aborted) {
    try {
      const response = await send("GET", "/v1/events", undefined, signal);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
          if (fields.event) tell(fields.event, JSON.parse(fields.data));
        }
      }
    } catch {
      // a node that restarts; what it refuses is shown by who asks for its status
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
