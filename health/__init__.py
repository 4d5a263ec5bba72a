"""Whom to trust: probes, verdicts and (later) leases, failover, drains.

what to probe     health/targets.py        every configured endpoint, with the probe that applies to it
                  health/core/probe.py     the values: target, settings, outcome, result
who stands there  health/discovery/        whom the names among the endpoints stand for
when              health/core/schedule.py  the next probe's time, and why verdicts come in time
how               health/probes/           http(s), tcp, udp, grpc: one attempt, one outcome
                  health/core/answer.py    what an http answer says
what it means     health/core/verdict.py   thresholds: one verdict an endpoint; saved and taken up again
                  health/core/region.py    one verdict a region
how far           health/core/latency.py   smoothed round trips to each region
all that is known health/core/book.py      verdicts and distances of everything configured
together          health/prober.py         runs the probes, keeps the book, says when a verdict changed
"""
