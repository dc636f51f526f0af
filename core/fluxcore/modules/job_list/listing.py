"""Answering job-list.list: a batch of jobs a loop turn, so that a long list holds nobody up."""

import errno
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.requests import RequestList
from fluxcore.job.attributes import to_json
from fluxcore.modules.job_list.query import Query, Walk
from fluxcore.modules.job_list.table import JobTable
from fluxcore.wire.message import Message

_Jobs = list[dict[str, Any]]


class _Listing:
    """One list on its way. Only its first response has the version."""

    __slots__ = ("jobs", "query", "req", "told", "walk")

    def __init__(self, req: Message, query: Query, walk: Walk) -> None:
        self.req = req
        self.query = query
        self.walk = walk
        self.jobs: _Jobs = []
        self.told = False

    def step(self) -> _Jobs:
        """The next jobs.

        :raises ValueError: an attribute is unknown
        """
        found = [] if self.walk.over else self.walk.step()
        return [to_json(listed.info, self.query.attrs) for listed in found]


class Listings:
    """The lists that are on their way."""

    def __init__(self, flux: Flux, table: JobTable) -> None:
        self._flux = flux
        self._table = table
        self._requests = RequestList(flux)

    def begin(self, req: Message, query: Query) -> None:
        """Answer ``req`` with the jobs of ``query``."""
        self._requests.add(req)
        self._step(_Listing(req, query, Walk(self._table, query)))

    def disconnect(self, req: Message) -> None:
        """A client is gone, and needs no more of its lists."""
        self._requests.disconnect(req)

    def _step(self, listing: _Listing) -> None:
        req = listing.req
        if not self._flux.connected or all(req is not kept for kept in self._requests):
            return
        try:
            jobs = listing.step()
        except ValueError as exc:
            self._requests.discard(req)
            self._flux.respond_error(req, errno.EINVAL, str(exc))
            return
        if req.streaming:
            self._tell(listing, jobs)
        else:
            listing.jobs += jobs
        if listing.walk.over:
            self._end(listing)
        else:
            self._flux.loop.call_soon(self._step, listing)

    def _tell(self, listing: _Listing, jobs: _Jobs) -> None:
        for job in jobs:
            answer: dict[str, Any] = {"jobs": [job]}
            if not listing.told:
                listing.told = True
                answer["version"] = 1
            self._flux.respond(listing.req, answer)

    def _end(self, listing: _Listing) -> None:
        self._requests.discard(listing.req)
        if listing.req.streaming:
            self._flux.respond_error(listing.req, errno.ENODATA)
        else:
            self._flux.respond(listing.req, {"jobs": listing.jobs})
