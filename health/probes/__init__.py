"""How an endpoint is asked: one attempt, one outcome.

    start() --> (name) --> connecting --> [http: request out, answer in] --> on_end(outcome), once
                  any time: expire() ends it with the reason of where it stands; abandon() ends it in silence

An attempt is callbacks on a non-blocking socket: no task, no stream, no timer of its own. The prober owns time and
calls `expire`. Each attempt opens a new connection and closes it: that the endpoint still accepts is the first half of
what is asked, and a kept connection would go on being answered by a server that has stopped listening.
"""
