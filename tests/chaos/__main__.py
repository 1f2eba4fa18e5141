"""`just chaos`: CHAOS_RUNS runs (500) under all faults, then a cluster of three that loses leaders.

Prints what was done and found; the last line is JSON. Ends with 1 when anything is wrong. CHAOS_SEED
repeats a choice of faults, CHAOS_LOGS keeps the processes' logs in a folder.
"""

import asyncio
import os
import random
import sys

from . import report
from .leaders import kill_leaders
from .session import Outcome, Plan, play

_LIMIT = 30 * 60.0


async def _both(runs: int, seed: int) -> list[Outcome]:
    async with asyncio.timeout(_LIMIT):
        outcomes = [await play(Plan(runs=runs, organizations=10, seed=seed, every_point=True))]
        print("# Everything dies\n", report.text(outcomes[0]), sep="\n", flush=True)
        cluster = Plan(
            runs=max(runs // 6, 20), organizations=4, seed=seed, servers=3, pause=(6.0, 12.0)
        )
        outcomes.append(await play(cluster, kill_leaders))
        print("\n# Leaders of a cluster die\n", report.text(outcomes[1]), sep="\n", flush=True)
    return outcomes


def main() -> None:
    """Both sessions."""
    runs = int(os.environ.get("CHAOS_RUNS", "500"))
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"CHAOS_SEED={seed}", flush=True)
    outcomes = asyncio.run(_both(runs, seed))
    print(report.last_line(outcomes))
    if any(report.wrong(outcome) for outcome in outcomes) or outcomes[0].wanted:
        sys.exit(1)


if __name__ == "__main__":
    main()
