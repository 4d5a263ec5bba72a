"""Whom to trust: probes, verdicts and (later) leases, failover, drains.

what to probe     health/targets.py        every configured endpoint, with the probe that applies to it
when              health/core/schedule.py  the next probe's time: interval, jitter
how               health/probes/           http and tcp: one attempt, one result
what it means     health/core/verdict.py   thresholds: up, down, untested, one verdict an endpoint and a region
how far           health/core/latency.py   smoothed round trips to each region
together          health/prober.py         runs the probes, keeps the verdicts, says when one changed
"""
