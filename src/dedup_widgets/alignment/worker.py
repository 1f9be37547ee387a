"""Laying pictures over each other for another process, which asks over a pipe.

It imports no more than that takes, so that it is there in a fraction of a second.
"""

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO, NamedTuple

import msgspec

from dedup_widgets.alignment.comparable import Comparable, comparable
from dedup_widgets.alignment.confirm import confirm
from dedup_widgets.alignment.evidence import Evidence

PICTURES_OF_A_WORKER = 64
"""Pictures that a worker holds: about a quarter of a megabyte each."""


_LENGTH_BYTES = 4
"""Bytes before a message that say how long it is."""


class Stored(NamedTuple):
    """What a store holds of a picture, as :func:`comparable` takes it."""

    thumbnail: bytes
    layers: bytes
    width: int
    height: int


class Chunk(NamedTuple):
    """Pictures, and pairs of them by their places in the list."""

    pictures: list[Stored]
    pairs: list[tuple[int, int]]


def pictures_made_once(most: int) -> Callable[[Stored], Comparable]:
    """Return a function that makes pictures, and holds the last ones with what they computed."""
    return lru_cache(most)(lambda stored: comparable(*stored))


def compare(chunk: Chunk, picture: Callable[[Stored], Comparable]) -> Iterator[Evidence]:
    """Lay the pictures of each pair over each other, in order."""
    for a, b in chunk.pairs:
        yield confirm(picture(chunk.pictures[a]), picture(chunk.pictures[b]))


def send(stream: IO[bytes], message: Chunk | list[Evidence]) -> None:
    """Write a message."""
    data = msgspec.msgpack.encode(message)
    stream.write(len(data).to_bytes(_LENGTH_BYTES) + data)
    stream.flush()


def received(stream: IO[bytes]) -> bytes:
    """Read a message.

    Raises
    ------
    EOFError
        When there is none any more.
    """
    return _read(stream, int.from_bytes(_read(stream, _LENGTH_BYTES)))


def _read(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the other side of the pipe has ended")
    return data


def serve() -> None:
    """Answer chunks with their evidence until whoever asks has ended, in whatever way."""
    # What a library prints must not come between the answers.
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    picture = pictures_made_once(PICTURES_OF_A_WORKER)
    while True:
        try:
            chunk = msgspec.msgpack.decode(received(sys.stdin.buffer), type=Chunk)
        except EOFError:
            return
        send(answers, list(compare(chunk, picture)))


if __name__ == "__main__":
    serve()
