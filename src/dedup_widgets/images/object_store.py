"""Pictures in object stores (``s3://``, ``gs://``, ``az://``) and on web servers, by obstore."""

import asyncio
import importlib.util
import os
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import polars as pl

import dedup_widgets.images.odd_names as odd_names
from dedup_widgets._urls import STORES, WEB, has_secret, redacted, scheme_of, split_url
from dedup_widgets.errors import ImageError, InputError
from dedup_widgets.images.entry import MAX_BYTES, Entry, as_columns
from dedup_widgets.images.held import Held
from dedup_widgets.images.store_errors import is_about_names, is_passing, why_of

Result = TypeVar("Result")


CONCURRENCY = 64
"""Requests that are under way at the same time."""


_ATTEMPTS = 4
"""How often a file is asked for whose connection was cut; obstore repeats what was refused."""


_PAUSE = 0.3
"""Seconds before a file is asked for again, the first time."""


_RETRY = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=8)},
}


_CLIENT = {"timeout": "10m", "read_timeout": "30s"}


_FEW = 8
"""Files that are asked for one by one rather than by listing a page of all that there are."""


_MOST_HELD = 2**26
"""Bytes of a file up to which it is asked for whole to see what it is: most are pictures."""


_SECONDS_BETWEEN_LOOKS = 0.5
"""Time after which a wait for a store lets an interrupt come through."""


PAGE = 1_000
"""Objects that a store lists in one answer."""


_WITHOUT_EXTRA = (
    'pictures in object stores and on web servers need obstore: pip install "dedup-widgets[cloud]"'
)


class ObjectStore:
    """Object stores and web servers as a `Source`.

    Credentials, region and endpoint come from the environment, as obstore reads it; for S3 also
    from the profile of the AWS command line, where boto3 is installed. What a store answers is
    never repeated in an error but for its code, as addresses may be signed.

    Parameters
    ----------
    concurrency
        Requests that are under way at the same time.
    page
        Objects that a store lists in one answer.
    held
        Holds what is read to see what it is, for who reads it next.
    **options
        What ``obstore.store.from_url`` takes, such as ``endpoint`` or ``skip_signature``.
    """

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        page: int = PAGE,
        held: Held | None = None,
        **options: Any,
    ) -> None:
        self.concurrency, self._page = concurrency, page
        self._held = held or Held()
        self._options = options
        self._stores: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._gate = asyncio.Semaphore(concurrency)

    def read(self, path: str) -> bytes:
        """Return the whole content of a file; raise `ImageError` if that is impossible."""
        return _wait(self._fetched(path))[1]

    def look_at(self, known: Entry) -> bytes:
        """Return the same of a file that is fetched next, and hold it until then."""
        data = self._held.read(known)
        if data is None:
            entry, data = _wait(self._fetched(known.path))
            self._held.put(entry, data)
        return data

    def stat(self, path: str) -> Entry:
        """Return size and tag of a file; raise `ImageError` if that is impossible."""
        (found,) = self.look_up([path])
        if isinstance(found, ImageError):
            raise found
        return found

    def fetch(self, known: Entry) -> "Future[tuple[Entry, bytes]]":
        """Begin to read a file, unless it is held as it is known; the entry is of what came."""
        held = self._held.take(known)
        if held is None:
            return _begin(self._fetched(known.path))
        found: Future[tuple[Entry, bytes]] = Future()
        found.set_result((known, held))
        return found

    def look_up(self, paths: Sequence[str]) -> list[Entry | ImageError]:
        """Return size and tag of each file: many of one folder by listing it."""
        return _wait(self._looked_up(paths))

    def starts(
        self, entries: Sequence[Entry], length: int, is_wanted: Callable[[str, bytes], bool]
    ) -> list[bytes | ImageError]:
        """Return the first bytes of each file, and hold those files of which more is wanted.

        Parameters
        ----------
        entries
            Files as they were listed.
        length
            How many bytes.
        is_wanted
            Tells by path and first bytes whether a file is fetched next.
        """

        async def all_starts() -> list[bytes | ImageError]:
            return await asyncio.gather(*(self._start(it, length, is_wanted) for it in entries))

        return _wait(all_starts())

    def below(self, url: str) -> pl.DataFrame:
        """Return all objects below a bucket or a folder, in no order: see :data:`entry.FILE`.

        Raises
        ------
        InputError
            If it cannot be listed; the text says why.
        """
        stream = self._listed(url, None)
        pages = [as_columns([])]
        try:
            while page := _wait(_next(stream)):
                pages.append(as_columns(page))
        except ImageError as error:
            raise InputError(str(error)) from None
        return pl.concat(pages)

    def ranges(self, path: str, starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
        """Return some parts of a file, of which those that lie near each other come together."""

        async def parts(store: Any, key: str) -> list[bytes]:
            import obstore

            found = await obstore.get_ranges_async(store, key, starts=starts, ends=ends)
            return [part.to_bytes() for part in found]

        return _answered(_wait(self._answer(path, parts)))

    def write(self, path: str, data: bytes, *, only_new: bool = False) -> bool:
        """Write a file, whole or not at all; return whether none was there that was to stay."""

        async def put(store: Any, key: str) -> bool:
            import obstore
            from obstore.exceptions import AlreadyExistsError

            try:
                mode: Any = "create" if only_new else "overwrite"
                await obstore.put_async(store, key, data, mode=mode)
            except AlreadyExistsError:
                return False
            return True

        return _answered(_wait(self._answer(path, put, "PUT")))

    # What is below runs in the thread of the loop.

    async def _fetched(self, path: str) -> tuple[Entry, bytes]:
        import obstore

        store, key = self._place(path)
        why = ""
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(_PAUSE * (2**attempt - 1))
            async with self._gate:
                try:
                    found = await obstore.get_async(store, key)
                except Exception as error:
                    why = why_of(error)
                    break
                entry = _entry(path, found.meta)
                if entry.size > MAX_BYTES:
                    why = (
                        f"too large to be a picture ({entry.size / 2**30:.1f} GiB, limit "
                        f"{MAX_BYTES / 2**30:.0f}); take it out of the input"
                    )
                    break
                try:
                    data = (await found.bytes_async()).to_bytes()
                except Exception as error:
                    why = why_of(error)
                else:
                    if len(data) == entry.size:
                        return entry, data
                    why = "the connection was cut; try again"
        # Outside of the handlers: what obstore says may hold a signed address, also as a cause.
        raise ImageError(f"{path}: {why}")

    async def _looked_up(self, paths: Sequence[str]) -> "list[Entry | ImageError]":
        buckets: defaultdict[str, set[str]] = defaultdict(set)
        for path in paths:
            scheme, bucket, _ = split_url(path)
            if scheme in STORES and not has_secret(path):
                buckets[f"{scheme}://{bucket}"].add(path)
        many = [names for names in buckets.values() if len(names) > _FEW]
        known: dict[str, Entry] = {}
        for found in await asyncio.gather(*map(self._in_listing, many)):
            known |= found
        rest = list(dict.fromkeys(path for path in paths if path not in known))
        asked = dict(zip(rest, await asyncio.gather(*map(self._asked, rest)), strict=True))
        return [known.get(path) or asked[path] for path in paths]

    async def _in_listing(self, wanted: set[str]) -> dict[str, Entry]:
        """Return those of some objects that a listing shows, as long as that pays."""
        first, last = min(wanted), max(wanted)
        # Names of objects are no paths of this system.
        same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        folder = "".join(letter for letter, _ in same).rpartition("/")[0]
        found: dict[str, Entry] = {}
        pages = 0
        try:
            async for page in self._listed(folder, first[:-1]):
                found |= {entry.path: entry for entry in page if entry.path in wanted}
                pages += 1
                if page[-1].path >= last or len(found) < pages * _FEW:
                    break
        except ImageError:
            # Who may read objects need not be allowed to list them.
            pass
        return found

    async def _asked(self, path: str) -> Entry | ImageError:
        import obstore

        async def head(store: Any, key: str) -> Entry:
            return _entry(path, await obstore.head_async(store, key))

        return await self._answer(path, head, "HEAD")

    async def _start(
        self, entry: Entry, length: int, is_wanted: Callable[[str, bytes], bool]
    ) -> bytes | ImageError:
        import obstore

        async def start(store: Any, key: str) -> bytes:
            at = self._held.reserve(entry.size) if entry.size <= _MOST_HELD else None
            if at is None:
                part = await obstore.get_range_async(store, key, start=0, length=length)
                return part.to_bytes()
            try:
                found = await obstore.get_async(store, key)
                pieces = found.stream(min_chunk_size=length)
                head = bytes(await anext(pieces, b""))
                is_it = _entry(entry.path, found.meta) == entry
                if is_it and is_wanted(entry.path, head[:length]):
                    await self._hold(entry, at, head, pieces)
                return head[:length]
            finally:
                self._held.give_up(at)

        return await self._answer(entry.path, start)

    async def _hold(self, entry: Entry, at: int, head: bytes, pieces: AsyncIterator[Any]) -> None:
        """Hold a file whose first bytes came; if the others do not, it is asked for again."""
        self._held.write(at, head)
        end = len(head)
        with suppress(Exception):
            async for piece in pieces:
                data = bytes(piece)
                self._held.write(at + end, data)
                end += len(data)
            if end == entry.size:
                self._held.keep(entry, at)

    async def _answer(
        self,
        path: str,
        ask: Callable[[Any, str], Coroutine[Any, Any, Result]],
        method: str = "GET",
    ) -> Result | ImageError:
        """Ask the store of a path, when it is its turn; what goes wrong is the answer."""
        try:
            store, key = self._place(path, method)
        except ImageError as error:
            return error
        async with self._gate:
            try:
                return await ask(store, key)
            except Exception as error:
                return ImageError(f"{path}: {why_of(error)}")

    async def _listed(self, url: str, after: str | None) -> AsyncIterator["list[Entry]"]:
        """Yield what lies below a folder page by page; after a cut go on from the last name."""
        import obstore

        scheme, bucket, prefix = split_url(url)
        base = f"{scheme}://{bucket}/"
        store, _ = self._place(base)
        why, has_odd_names, attempt = "", False, 0
        while attempt < _ATTEMPTS:
            offset = (after or base).removeprefix(base) or None
            try:
                pages: AsyncIterator[Sequence[Any]]
                if has_odd_names:
                    pages = self._odd_pages(base, prefix.rstrip("/"), offset)
                else:
                    pages = obstore.list(
                        store, prefix.rstrip("/"), offset=offset, chunk_size=self._page
                    )
                async for page in pages:
                    entries = [_entry(base + meta["path"], meta) for meta in page]
                    yield entries
                    after, attempt = entries[-1].path, 0
                return
            except Exception as error:
                why = why_of(error)
                if scheme == "s3" and not has_odd_names and is_about_names(error):
                    has_odd_names = True
                elif not is_passing(error):
                    break
            await asyncio.sleep(_PAUSE * (2**attempt - 1))
            attempt += 1
        raise ImageError(f"{redacted(url)}: {why}")

    async def _odd_pages(
        self, bucket: str, folder: str, after: str | None
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield what lies below a folder page by page, whatever its names."""
        prefix, more = f"{folder}/" if folder else "", True
        while more:
            page, more = await asyncio.to_thread(
                odd_names.page, self._opener(bucket), prefix, after or "", self._page
            )
            if page:
                yield page
                after = page[-1]["path"]

    # Stores

    def _place(self, path: str, method: str = "GET") -> tuple[Any, str]:
        """Return the store that a path leads to, and its name there."""
        if has_secret(path):
            raise ImageError(f"{redacted(path)}: holds a password or a key; pass it without")
        scheme, host, key = split_url(path)
        base = f"{scheme}://{host}"
        if scheme == "s3" and method != "PUT" and odd_names.can_be_asked_for(key):
            # Its address is a store of its own.
            try:
                address = odd_names.address_of(self._opener(base), key, method)
                return _opened(address, self._options), ""
            except Exception as error:
                why = why_of(error)
            raise ImageError(f"{path}: {why}")
        if scheme not in WEB:
            return self._store(base), key
        if "%2f" in key.lower() or any(mark in key for mark in "?#") or "//" in f"/{key}/":
            # obstore's names of files cannot say this: the URL is a store of its own.
            return _opened(path, self._options), ""
        return self._store(base), unquote(key)

    def _opener(self, base: str) -> Callable[..., Any]:
        """Return what opens a bucket with further options."""

        def open_store(**more: Any) -> Any:
            replaced = ("endpoint", "virtual_hosted") if "endpoint" in more else ()
            options = {
                name: value
                for name, value in self._options.items()
                if not any(part in name.lower() for part in replaced)
            }
            return _opened(base, options | more)

        return open_store

    def _store(self, base: str) -> Any:
        with self._lock:
            if base not in self._stores:
                self._stores[base] = _opened(base, self._options)
            return self._stores[base]


def _answered(answer: Result | ImageError) -> Result:
    if isinstance(answer, ImageError):
        raise answer
    return answer


async def _next(stream: AsyncIterator[Result]) -> Result | None:
    return await anext(stream, None)


def check_installed() -> None:
    """Raise `InputError` if the extra for object stores is missing."""
    if importlib.util.find_spec("obstore") is None:
        raise InputError(_WITHOUT_EXTRA)


def _opened(url: str, options: dict[str, Any]) -> Any:
    """Return obstore's store of a bucket or a web server."""
    try:
        from obstore.store import HTTPStore, from_url
    except ImportError:
        raise ImageError(_WITHOUT_EXTRA) from None
    scheme = scheme_of(url)
    client = _CLIENT | options.get("client_options", {})
    if scheme == "http" or any(
        os.environ.get(name, "").startswith("http://")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
    ):
        client |= {"allow_http": True}
    given = {"retry_config": _RETRY} | options | {"client_options": client}
    why = ""
    try:
        if scheme in WEB:
            return HTTPStore(url, client_options=client, retry_config=given["retry_config"])
        return from_url(url, **(_profile() if scheme == "s3" else {}), **given)
    except Exception as error:
        why = type(error).__name__
    raise ImageError(
        f"{redacted(url)}: cannot be opened ({why}); check its name, and what the environment says "
        "of the store, such as AZURE_STORAGE_ACCOUNT_NAME"
    )


def _profile() -> dict[str, Any]:
    """Return what reads the profile of the AWS command line, where only that has credentials."""
    settings = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    in_environment = any(
        os.environ.get(name)
        for name in (
            *("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        )
    )
    if in_environment or not ("AWS_PROFILE" in os.environ or settings.expanduser().exists()):
        return {}
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return {}
    return {"credential_provider": Boto3CredentialProvider()}


def _entry(path: str, meta: Any) -> Entry:
    # Listings write a tag without quotes, answers with them; a server without a clock says 1970.
    if tag := (meta["e_tag"] or "").removeprefix("W/").strip('"'):
        return Entry(path, meta["size"], f"etag {tag}")
    modified = meta["last_modified"]
    version = f"modified {modified.isoformat()}" if modified.timestamp() > 0 else ""
    return Entry(path, meta["size"], version)


# One thread waits for all answers; a thread each would outlive an interrupt.


_loop: asyncio.AbstractEventLoop | None = None
_of_loop = threading.Lock()


def _begin(work: Coroutine[Any, Any, Result]) -> "Future[Result]":
    global _loop
    with _of_loop:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(
                target=_loop.run_forever, name="dedup-widgets-requests", daemon=True
            ).start()
    return asyncio.run_coroutine_threadsafe(work, _loop)


def _wait(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what is awaited; an interrupt gives it up at once."""
    future = _begin(work)
    try:
        while not wait([future], _SECONDS_BETWEEN_LOOKS).done:
            pass
        return future.result()
    except BaseException:
        future.cancel()
        raise
