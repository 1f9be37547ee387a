"""The long form of the tests of what holds: `make soak`, for as many seconds as SECONDS says.

Each round has a seed of its own; where one fails, that seed shows it again:
``python tests/soak.py --seed 7 --rounds 1``.
"""

import argparse
import sys
import time
import traceback
from collections import Counter

import hardships


def main() -> int:
    """Run all hardships in turn until the time is over; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--rounds", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*", help="of hardships; default: all")
    wanted = parser.parse_args()
    tries: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    took: Counter[str] = Counter()
    end = time.monotonic() + wanted.seconds
    for seed in range(wanted.seed, wanted.seed + wanted.rounds):
        for name, act in hardships.ALL.items():
            if (wanted.names and name not in wanted.names) or time.monotonic() > end:
                continue
            began = time.monotonic()
            try:
                tries[name] += act(seed)
            except Exception:
                failed[name] += 1
                print(f"{name}, seed {seed}:", file=sys.stderr)
                traceback.print_exc()
            took[name] += round(time.monotonic() - began)
        if time.monotonic() > end:
            break
    for name, count in tries.items():
        print(f"{name}: {count:,} tries in {took[name]:,} s, {failed[name]} failed")
    return sum(failed.values())


if __name__ == "__main__":
    sys.exit(bool(main()))
