// What happened between two looks at `/v1/traffic`: counters become rates, buckets become percentiles.

const EMPTY = { requests: 0, errors: 0, refused: 0, total_s: 0, buckets: [] };

/** By route: {route, rate, errors, refused, p50_s, p95_s, regions: {region: rate}}; null for a span without length. */
export function rates(before, after) {
  const span = after.at - before.at;
  if (!(span > 0) || before.run !== after.run) return null;
  const earlier = new Map(before.routes.map((one) => [`${one.route} ${one.region}`, one]));
  const found = new Map();
  for (const now of after.routes) {
    const then = earlier.get(`${now.route} ${now.region}`) ?? EMPTY;
    const count = now.requests - then.requests;
    if (!found.has(now.route)) {
      found.set(now.route, { route: now.route, count: 0, bad: 0, kept: 0, buckets: [], regions: {}, total: 0 });
    }
    const sum = found.get(now.route);
    sum.total += now.requests;
    sum.count += count;
    sum.bad += now.errors - then.errors;
    sum.kept += now.refused - then.refused;
    sum.buckets = now.buckets.map((have, at) => (sum.buckets[at] ?? 0) + have - (then.buckets[at] ?? 0));
    if (now.region && count) sum.regions[now.region] = count / span;
  }
  return [...found.values()].map((sum) => ({
    route: sum.route,
    total: sum.total,
    rate: sum.count / span,
    errors: sum.count ? sum.bad / sum.count : 0,
    refused: sum.kept / span,
    p50_s: percentile(sum.buckets, after.bounds_s, 0.5),
    p95_s: percentile(sum.buckets, after.bounds_s, 0.95),
    regions: sum.regions,
  }));
}

/** The upper bound of the bucket in which the share of all lies, in between by its neighbours; null without any. */
export function percentile(buckets, bounds, share) {
  const all = buckets.reduce((sum, one) => sum + one, 0);
  if (!all) return null;
  let below = 0;
  for (const [at, count] of buckets.entries()) {
    if (below + count >= share * all) {
      const from = at ? bounds[at - 1] : 0;
      const to = bounds[at] ?? from;
      return from + ((share * all - below) / count) * (to - from);
    }
    below += count;
  }
  return bounds.at(-1);
}

/** Requests a second by the region that served them. */
export function byRegion(routes) {
  const found = {};
  for (const one of routes) {
    for (const [region, rate] of Object.entries(one.regions)) found[region] = (found[region] ?? 0) + rate;
  }
  return found;
}
