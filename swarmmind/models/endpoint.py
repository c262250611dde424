"""One server of an endpoint: what carries requests to it, what holds them back, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple, Protocol

import anyio
import msgspec

from swarmmind.effects import FailureKind
from swarmmind.models.gauges import Gauges, is_engine, read
from swarmmind.models.limiter import Limiter, Place
from swarmmind.models.pulse import Pulse
from swarmmind.models.served import Served
from swarmmind.models.transports.shared import NotSent, describe
from swarmmind.ports import HttpResponse, Transport, TransportError

OUTAGE_SECONDS = 300.0
_FIRST_REST_SECONDS, _REST_SECONDS, _LONGEST_REST_SECONDS = 0.1, 0.25, 1.0  # a page of vLLM costs it some 5 ms
_PEEK_SECONDS = 0.02  # after a look at which the limit grew: it may grow on
_LOOK_TIMEOUT_SECONDS = 1.0
_MEETING_SECONDS = 0.1
_LAST_LOOK_SECONDS = 0.5
_LOOKS_IN_VAIN = 3  # before nobody looks any more
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # a page that is answered so may be there the next time
_PROBE_TIMEOUT_SECONDS = 2.0
_FIRST_PROBE_SECONDS, _LONGEST_PROBE_SECONDS = 0.1, 2.0
_OMINOUS = ("connection", "server", "busy")  # how requests fail when a server goes down
_MOST_VERSION = 100  # characters
_SHOWN = ("block_size", "num_gpu_blocks", "cache_dtype", "enable_prefix_caching")


class Trouble(NamedTuple):
    """How a request failed.

    Attributes:
        kind: `busy`, `connection`, `timeout` or `server`.
        unsent: whether the server cannot have read it.
        retry_after_seconds: how long it asks us to stay away; `None` if it does not.
    """

    kind: FailureKind
    unsent: bool = False
    retry_after_seconds: float | None = None


class Endpoint:
    """One server, shared by all models and embedders that use it.

    A server that has answered and then refuses connections is waited for, for as long as `outage_seconds`: somebody may
    be starting it anew. Meanwhile nothing is sent but one probe at a time.

    Args:
        base_url: where it is, e.g. `http://127.0.0.1:8000/v1`.
        transport: carries requests.
        limiter: holds them back.
        pulse: whether it is up, if somebody sees to that; by default the endpoint finds out by itself.
        looks: whether it is asked what it says of itself (`/metrics`).
        capacity: how many requests it runs at once, if that is known.
        outage_seconds: how long it may be without any success, down or busy, before failures are told.

    Attributes:
        load: requests that were sent its way and are not over, those that wait for a place included.
        gauges: what it said of itself.
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        limiter: Limiter,
        pulse: Pulse | None = None,
        *,
        looks: bool = True,
        capacity: int | None = None,
        outage_seconds: float = OUTAGE_SECONDS,
    ) -> None:
        self.base_url, self.transport, self.limiter = base_url, transport, limiter
        self.pulse, self._supervised = pulse or Pulse(), pulse is not None
        self.load, self.gauges = 0, Gauges()
        self._others: Sequence[Endpoint] | None = None
        self._looks, self._capacity, self._outage_seconds = looks, capacity, outage_seconds
        self._attended = self._answered = self._gave_up = False
        self._troubled_at: float | None = None  # since the last success
        self._until = -inf  # it is waited for, on the clock of the event loop
        self._outages = 0
        self._version: str | None = None  # empty: it does not say

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"

    def choose(self, prefix: bytes) -> Endpoint:
        """Itself: there is no other (see `Route`)."""
        return self

    async def wait(self) -> None:
        """Until it is up (see `Route`)."""
        await self.pulse.wait()

    def join(self, others: Sequence[Endpoint]) -> None:
        """It is on one more route, where others answer in its place; those that do on all its routes, may spare it."""
        self._others = [other for other in others if self._others is None or other in self._others]

    @property
    def up(self) -> bool:
        """Whether it answers, as far as is known."""
        return self.pulse.up

    @property
    def given_up(self) -> bool:
        """Whether it was down for longer than it is waited for, and has not answered since."""
        return self._gave_up

    @property
    def _promises(self) -> bool:
        """Whether it can be expected to answer, now or soon."""
        if self._gave_up:
            return False
        if self.up:
            return self._answered or self._troubled_at is None
        return self._answered and anyio.current_time() < self._until

    @property
    def _spared(self) -> bool:
        """Whether nobody needs it: another will answer."""
        return any(other._promises for other in self._others or ())

    # --- what its answers say -----------------------------------------------------------------------------------------

    def succeeded(self, place: Place, now: float) -> None:
        """It answered."""
        self._answered, self._gave_up, self._troubled_at = True, False, None
        self.limiter.succeeded(place, now)

    def failed(self, trouble: Trouble, place: Place, now: float) -> bool:
        """It did not, in a way that may pass.

        Args:
            trouble: in what way.
            place: of the request.
            now: the run's clock, in seconds.

        Returns:
            Whether the attempt is held against the request. It is not if the server is busy, with something that it
            gets done, or if the request never got to a server that answered before and is waited for, or that others
            stand in for.
        """
        if self._troubled_at is None:
            self._troubled_at = now
        hopeful = now - self._troubled_at < self._outage_seconds and not self._gave_up
        if trouble.kind == "busy":
            self.limiter.rejected(place, now, trouble.retry_after_seconds)
        else:
            self.limiter.failed()
        gone = trouble.kind == "connection" or trouble.unsent
        if gone or (self._supervised and trouble.kind in _OMINOUS):
            self.pulse.doubt()
        if trouble.kind == "busy":
            return not (hopeful and (self._answered or self.limiter.in_flight > 1))
        waits = self._spared or (hopeful and self._answered)
        if not (gone and waits and (self._attended or self._supervised)):
            return True
        # Nobody sends until whoever sees to it, who has been told to look, has found it well: the kernel may take in
        # connections for a server that is dying, and what is sent there is paid for as if it had been read.
        self._fall()
        return not trouble.unsent

    def _fall(self) -> None:
        if self.pulse.up and not self._gave_up:
            self._until = anyio.current_time() + self._outage_seconds
        self.pulse.fall()

    # --- beside the run -----------------------------------------------------------------------------------------------

    async def meet(self) -> None:
        """Look at it before the run: one that will never say anything of itself holds up no first requests for that.

        That takes .1 s at most; who has not answered by then is looked at when there is something to send.
        """
        if self._looks and self.limiter.steering is None:
            with anyio.move_on_after(_MEETING_SECONDS):
                self._looks = await self._look(_LOOK_TIMEOUT_SECONDS) < _LOOKS_IN_VAIN

    async def watch(self) -> None:
        """What is done beside the run for as long as it goes on; cancelled at its end."""
        async with anyio.create_task_group() as group:
            if self._looks and self.limiter.steering is None:  # else another transport's endpoint looks at this server
                self.limiter.steer(self._capacity)
                group.start_soon(self._look_on)
            if not self._supervised:
                self._attended = True
                group.start_soon(self._attend)

    async def _look_on(self) -> None:
        limiter, in_vain, rest_seconds = self.limiter, 0, _FIRST_REST_SECONDS
        try:
            while in_vain < _LOOKS_IN_VAIN:
                await limiter.until_busy()
                await self.pulse.wait()
                before = limiter.limit
                in_vain += await self._look(_LOOK_TIMEOUT_SECONDS, peeks=rest_seconds < _FIRST_REST_SECONDS)
                if self._version is None and self.gauges.last is not None:
                    self._version = _version(await self._get("version", _LOOK_TIMEOUT_SECONDS))
                if in_vain < _LOOKS_IN_VAIN:
                    rest_seconds = self._rest_seconds(rest_seconds, before)
                    await anyio.sleep(rest_seconds)
            limiter.unsteered()
        finally:
            if self.gauges.last is not None and self.up:
                with anyio.CancelScope(shield=True):
                    await self._look(_LAST_LOOK_SECONDS)

    def _rest_seconds(self, last_seconds: float, limit_before: int) -> float:
        """Until the next look: short as long as the limit may grow, longer the longer it has been settled."""
        limiter, seen = self.limiter, self.gauges.last
        if limiter.limit > limit_before:
            return _PEEK_SECONDS
        if limiter.is_settled:
            calm = limiter.limit == limit_before and last_seconds >= _REST_SECONDS
            return min(_LONGEST_REST_SECONDS, 1.25 * last_seconds) if calm else _REST_SECONDS
        if seen is None or seen.waiting:
            return _FIRST_REST_SECONDS
        return min(_FIRST_REST_SECONDS, 2 * last_seconds)

    async def _look(self, timeout_seconds: float, *, peeks: bool = False) -> int:
        """Look at what it says of itself.

        Args:
            timeout_seconds: how long that may take.
            peeks: so soon after the last look that what waits may be about to run, and is no reason to stop growing.

        Returns:
            For how many looks in vain it counts: none if it ever said something, enough if it never will.
        """
        response = await self._get("metrics", timeout_seconds)
        if isinstance(response, TransportError) and self._answered:
            self.pulse.doubt()
        page = response.body.decode("utf-8", "replace") if isinstance(response, HttpResponse) else ""
        seen = read(page)
        if seen is not None:
            self.gauges.keep(seen)
            if not (peeks and seen.waiting):
                self.limiter.observe(seen)
        if self.gauges.last is not None:
            return 0
        passes = not isinstance(response, HttpResponse) or response.status in _PASSING or is_engine(page)
        return 1 if passes else _LOOKS_IN_VAIN

    async def _attend(self) -> None:
        """See to the pulse of a server that nobody else sees to."""
        while True:
            await self.pulse.doubts()
            if not self._answered and not self._spared:
                self.pulse.rise()
                continue
            got = await self._probe()
            if _is_well(got) or _is_slow(got):
                self.pulse.rise()
                continue
            self._fall()
            self._outages += 1
            wait_seconds = _FIRST_PROBE_SECONDS
            while not _is_well(await self._probe()):
                if anyio.current_time() >= self._until and not self._spared:
                    self._gave_up = True
                    self.pulse.rise()  # those who wait are sent, and told why they fail
                await anyio.sleep(wait_seconds)
                wait_seconds = min(_LONGEST_PROBE_SECONDS, 1.5 * wait_seconds)
            self._gave_up = False
            self.pulse.rise()

    async def _probe(self) -> HttpResponse | TransportError:
        got = await self._get("health", _PROBE_TIMEOUT_SECONDS)
        if isinstance(got, NotSent) and got.kind == "timeout":  # perhaps our own loop was late to see the connection
            return await self._get("health", _PROBE_TIMEOUT_SECONDS)
        return got

    async def _get(self, path: str, timeout_seconds: float) -> HttpResponse | TransportError:
        try:
            return await self.transport.get(path, timeout_seconds)
        except TransportError as error:
            return error
        except Exception as error:  # a look may go wrong in any way, but the run goes on
            return TransportError("connection", describe(error))

    # --- what it came to ----------------------------------------------------------------------------------------------

    def served(self) -> Served:
        """What it has done so far."""
        limiter, said = self.limiter, self.gauges
        achieved = limiter.achieved
        queried = said.since_first("queried_tokens")
        return Served(
            self.base_url,
            answered=achieved.answered,
            rejections=limiter.rejections,
            cuts=limiter.cuts,
            limit=limiter.limit,
            most_in_flight=limiter.most_in_flight,
            mean_in_flight=None if achieved.mean is None else round(achieved.mean, 2),
            queued_seconds=round(achieved.queued_seconds, 3),
            preemptions=said.since_first("preemptions"),
            prompt_tokens=queried if queried is not None else said.since_first("prompt_tokens"),
            cached_tokens=said.since_first("hit_tokens" if queried is not None else "cached_tokens"),
            server=self._server(),
            warnings=self._warnings(),
        )

    def _server(self) -> dict[str, str | int | float | None]:
        setup = self.gauges.last.setup if self.gauges.last else {}
        version = {"version": self._version} if self._version else {}
        return {**version, **{name: setup[name] for name in _SHOWN if name in setup}}

    def _warnings(self) -> list[str]:
        limiter, found = self.limiter, list[str]()
        if self._troubled_at is not None and not self._answered:
            found.append(f"{self.base_url}: no request was answered; is this its address, and is it up?")
        elif self._outages:
            times = "once" if self._outages == 1 else f"{self._outages} times"
            found.append(f"{self.base_url}: was gone {times} and waited for; requests under way were sent again")
        preemptions = self.gauges.since_first("preemptions")
        if preemptions:
            found.append(
                f"{self.base_url}: began {preemptions} requests anew for want of cache; shorter prompts or answers, "
                "or more memory for it, help"
            )
        return found + limiter.achieved.warnings(self.base_url, limiter.concurrency, limiter.rejections)


class Route(Protocol):
    """Which server a request goes to: an `Endpoint`, or several replicas behind one name."""

    def choose(self, prefix: bytes) -> Endpoint:
        """The server for a request; those that share a prefix go to the same one as long as that pays."""
        ...

    async def wait(self) -> None:
        """Until one of its servers is up."""
        ...


def _version(got: HttpResponse | TransportError) -> str:
    """What a server calls its version, on a page of its own; empty if it has none."""
    if not isinstance(got, HttpResponse) or got.status != 200:
        return ""
    try:
        return str(msgspec.json.decode(got.body, type=dict[str, Any]).get("version") or "")[:_MOST_VERSION]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _is_well(got: HttpResponse | TransportError) -> bool:
    """Whether a server is there and works; one that has no such page is."""
    return isinstance(got, HttpResponse) and got.status < 500


def _is_slow(got: HttpResponse | TransportError) -> bool:
    """Whether a server is there and takes its time; that is not down."""
    return isinstance(got, TransportError) and got.kind == "timeout" and not isinstance(got, NotSent)
