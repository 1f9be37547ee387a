"""What listing a bucket takes in memory, an object: `python -m benchmarks.listing 1000000`.

Its pages are made here, so that nothing but what is done with them takes memory.
"""

import hashlib
import sys
import time
from pathlib import Path

from benchmarks.driver import status
from dedup_widgets._memory import give_back
from dedup_widgets.images.entry import Entry
from dedup_widgets.images.object_store import PAGE, ObjectStore
from dedup_widgets.images.source import set_source
from dedup_widgets.scoring.inputs import inputs_of


class Made(ObjectStore):
    """A bucket of as many objects as are asked for."""

    count = 0

    async def _listed(self, _url, _after):
        for start in range(0, self.count, PAGE):
            yield [
                Entry(
                    f"s3://box/photos/{number // 1000}/IMG_{number}.jpg",
                    5_000_000 + number,
                    f"etag {hashlib.md5(str(number).encode()).hexdigest()}",
                )
                for number in range(start, min(start + PAGE, self.count))
            ]


def main(count: int) -> None:
    made = Made()
    set_source("s3://", made)
    # What is loaded once, whatever the number of objects, is loaded by a listing of a few.
    for made.count in (1000, count):
        give_back()
        base, start = status("VmRSS"), time.process_time()
        Path("/proc/self/clear_refs").write_text("5")
        found = inputs_of("s3://box/photos/", "auto", [])
        took = time.process_time() - start
        peak = (status("VmHWM") - base) / made.count
        give_back()
        held = (status("VmRSS") - base) / made.count
    print(
        f"{len(found.paths)} objects in {took:.0f} s of a processor: {peak:.0f} bytes an object at "
        f"most, {held:.0f} once it is listed"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
