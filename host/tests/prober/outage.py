"""How long an outage took, from what was sent and what came of it.

The definition is docs/measuring.md's, "RTO as users saw it". This is written from that text and shares nothing
with the host's own arithmetic, which it is there to be compared with. Times are seconds of one clock.
"""

from typing import NamedTuple

# How long no failure may come after a success for it to be the end, and how many successes must.
CALM = 5.0
CALM_SUCCESSES = 10


class Sample(NamedTuple):
    """One write."""

    sent: float
    ended: float
    good: bool


class Outage(NamedTuple):
    # From the strike to the success that ended it.
    seconds: float
    # The largest time in it in which nothing ended: nobody can know it better than that.
    gap: float
    # How many writes failed in it.
    failures: int


def outage(samples, struck, until):
    """The outage after a strike, watched until then. None while it has not ended, or has not begun."""
    after = sorted((one for one in samples if struck <= one.ended <= until), key=lambda one: one.ended)
    failures = [one.ended for one in after if not one.good]
    if not failures:
        return None
    successes = [one for one in after if one.good]
    for back in successes:
        # What came before the first failure is not the end: requests that hang fail late.
        if back.sent < struck or back.ended < failures[0]:
            continue
        relapse = min((at for at in failures if at > back.ended), default=until)
        calm = sum(back.ended <= one.ended <= relapse for one in successes)
        if relapse - back.ended >= CALM and calm >= CALM_SUCCESSES:
            during = [struck, *(one.ended for one in after if one.ended <= back.ended)]
            gap = max(later - earlier for earlier, later in zip(during, during[1:]))
            failed = sum(at <= back.ended for at in failures)
            return Outage(back.ended - struck, gap, failed)
    return None
