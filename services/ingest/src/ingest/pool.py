"""Warm subprocesses: the event loop stays free, a cancelled job is a killed process."""

import asyncio
import shutil
import signal
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from chassis.telemetry import log
from contracts.ingest import Form
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.csv import Inspection, Preview
from ingest.dialect import CsvOptions
from ingest.jobs import (
    FormJob,
    FormResult,
    FormSample,
    InspectJob,
    Job,
    Limits,
    Line,
    ListFormsJob,
    LoadJob,
    LoadResult,
    Order,
    Places,
    Progress,
    SampleFormJob,
    SampleJob,
)
from ingest.mother import Mother, Worker
from ingest.scratch import scratch

MEMORY_MB = 3072
"""Address space of a worker; DuckDB keeps to 512 MB of it."""
REMEMBERED = 64
"""Clean files of which a pool knows what was found in them."""

Place = Callable[[Mapping[str, str]], Awaitable[dict[str, str]]]
"""Gives relations for a form's tables by path; it is told their names by path."""


class WorkerPool:
    """Keeps `spares` workers warm; every job takes one and uses it up.

    `async with WorkerPool() as pool: result = await pool.load(job)`. How many jobs run at once
    is the caller's to bound.
    """

    def __init__(
        self, spares: int = 1, memory_mb: int = MEMORY_MB, limits: Limits | None = None
    ) -> None:
        """`limits` hold instead of those that each kind of job has."""
        self._spares = spares
        self._memory_mb = memory_mb
        self._limits = limits
        self._warm: deque[asyncio.Task[Worker]] = deque()
        self._open = False
        self._mother: Mother | None = None
        self._changing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[tuple[str, str], Inspection] = OrderedDict()

    async def __aenter__(self) -> Self:
        self._scratch = scratch()
        self._folder = await asyncio.to_thread(self._scratch.__enter__)
        self._open = True
        self._refill()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        while self._warm:
            starting = self._warm.popleft()
            starting.cancel()
            with suppress(asyncio.CancelledError, Unavailable, OSError):
                await (await starting).end()
        await asyncio.gather(*self._leaving)
        if self._mother is not None:
            await self._mother.end()
        await asyncio.to_thread(self._scratch.__exit__, kind, error, trace)

    async def inspect(self, job: InspectJob) -> Inspection:
        """What the file holds. Raises BadSource, Unavailable."""
        answer = (await self._run(job)).inspected
        assert answer is not None
        self._remember(job.options, answer)
        return answer

    async def sample(self, job: SampleJob) -> Preview:
        """What the file holds, with its first rows. Raises BadSource, Unavailable."""
        answer = (await self._run(job)).sampled
        assert answer is not None
        self._remember(job.options, answer.inspection)
        return answer

    async def load(
        self, job: LoadJob, progress: Callable[[Progress], None] | None = None
    ) -> LoadResult:
        """Write a version. Cancelled, the process is killed. Raises BadSource, Unavailable.

        A clean file that was looked at before is not looked at again.
        """
        if job.sha256 is not None and job.looked is None:
            looked = self._known.get(_key(job.options, job.sha256))
            job = job.model_copy(update={"looked": looked})
        began = time.perf_counter()
        answer = (await self._run(job, progress)).loaded
        assert answer is not None
        log.info("version_loaded", seconds=round(time.perf_counter() - began, 4))
        return answer

    async def load_form(
        self, job: FormJob, place: Place, progress: Callable[[Progress], None] | None = None
    ) -> FormResult:
        """Write a form's versions. Cancelled, the process is killed. Raises BadSource, Unavailable."""
        answer = (await self._run(job, progress, place)).form
        assert answer is not None
        return answer

    async def sample_form(self, job: SampleFormJob) -> FormSample:
        """What a form asks, and its first rows. Raises BadSource, Unavailable."""
        answer = (await self._run(job)).form_sampled
        assert answer is not None
        return answer

    async def list_forms(self, job: ListFormsJob) -> tuple[Form, ...]:
        """The forms of an account. Raises BadSource, Unavailable."""
        answer = (await self._run(job)).forms
        assert answer is not None
        return answer

    def _remember(self, options: CsvOptions, found: Inspection) -> None:
        if found.clean is None:
            return
        self._known[_key(options, found.sha256)] = found
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _run(
        self,
        job: Job,
        progress: Callable[[Progress], None] | None = None,
        place: Place | None = None,
    ) -> Line:
        worker = await self._take()
        self._refill()
        limits = self._limits or job.limits
        try:
            async with asyncio.timeout(limits.waiting):
                await worker.tell(Order(job=job, computing=limits.computing))
                line = await _answered(worker, progress, place)
        except TimeoutError:
            raise _too_slow(job, limits.waiting or 0) from None
        except Unavailable as error:
            raise _why(worker.exit_code, job, limits) or error from None
        finally:
            # Shielded: a second cancel must not leave the process behind.
            ending = asyncio.create_task(worker.end())
            self._leaving.add(ending)
            ending.add_done_callback(self._leaving.discard)
            await asyncio.shield(ending)
        if line.error is not None:
            kind = Unavailable if line.error.transient else BadSource
            raise kind(line.error.code, line.error.message)
        return line

    async def _take(self) -> Worker:
        """A warm worker that still lives, else a new one."""
        while self._warm:
            starting = self._warm.popleft()
            try:
                worker = await starting
            except (Unavailable, OSError):
                continue
            if worker.lives:
                return worker
            await worker.end()
        return await self._start()

    def _refill(self) -> None:
        while self._open and len(self._warm) < self._spares:
            self._warm.append(asyncio.create_task(self._start()))

    async def _start(self) -> Worker:
        # Whoever tidies up /tmp may have taken it away since.
        self._folder.mkdir(exist_ok=True)
        async with self._changing:
            if self._mother is None or not self._mother.lives:
                self._mother = await Mother.start(self._folder)
        folder = Path(mkdtemp(dir=self._folder))
        try:
            return await self._mother.fork(folder, self._memory_mb)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise


def _why(exit_code: int | None, job: Job, limits: Limits) -> BadSource | Unavailable | None:
    """What to say of a worker that ended by a limit, if that is how it ended."""
    if exit_code == -signal.SIGXCPU:
        return _too_slow(job, limits.computing)
    if exit_code == -signal.SIGABRT:
        # Libraries in Rust and C++ abort where they get no memory, and would do so again.
        return BadSource(
            "too_large",
            "The file needs more memory than a load may take. Split it, or save the sheet of "
            "a workbook as CSV and upload that.",
        )
    return None


def _too_slow(job: Job, seconds: float) -> BadSource | Unavailable:
    if isinstance(job, FormJob | SampleFormJob | ListFormsJob):
        return Unavailable(
            "kobo_too_slow",
            f"Reading the form took longer than {seconds:.0f} s. Try again later.",
        )
    return BadSource(
        "too_slow",
        f"Reading the file took longer than {seconds:.0f} s. Split it, or save the sheet of a "
        "workbook as CSV and upload that.",
    )


async def _answered(
    worker: Worker,
    progress: Callable[[Progress], None] | None,
    place: Place | None,
) -> Line:
    while True:
        line = await worker.line()
        if line.places is not None and place is not None:
            places = Places(relations=await place(line.places))
            await worker.tell(places)
        elif line.progress is None:
            return line
        elif progress is not None:
            progress(line.progress)


def _key(options: CsvOptions, sha256: str) -> tuple[str, str]:
    return sha256, options.model_dump_json()
