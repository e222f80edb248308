# SPDX-License-Identifier: Apache-2.0
"""How does a request reach an SNMP agent? By pysnmp, with what it lacks put right here.

- Counters that a careless agent sends with the top bit set and no leading zero are read as unsigned; pysnmp
  drops the whole answer as out of range. `test_snmp_link` decodes such a packet, so that no new version
  of the library undoes it unseen.
- Only the address that was asked may answer: the socket is connected. A port that nobody listens on is then
  told at once.
- The engine is made anew after `_REQUESTS_OF_AN_ENGINE` requests (version 3 keeps 500 bytes of each). With
  version 3 also after `_FAILURES_OF_AN_ENGINE` failures in a row: an agent that was replaced has another id.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from pysnmp.carrier.asyncio.dgram.udp import UdpAsyncioTransport
from pysnmp.carrier.asyncio.dgram.udp6 import Udp6AsyncioTransport
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import errind, rfc1902, rfc1905

from agent.contract.reason import Reason
from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.protocols.snmp import Answer, Oid, Value
from firmware_bridge.reading import DeviceFailed, Unanswered

log = logging.getLogger("firmware_bridge.snmp")

_REQUESTS_OF_AN_ENGINE = 2000
_FAILURES_OF_AN_ENGINE = 2
_SILENT = "no answer: is SNMP switched on there, may this host ask, is the community or version right?"
_GRACE_S = 1.0
_AUTH = {
    "md5": hlapi.USM_AUTH_HMAC96_MD5,
    "sha1": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
_PRIVACY = {
    "aes128": hlapi.USM_PRIV_CFB128_AES,
    "aes192": hlapi.USM_PRIV_CFB192_AES,
    "aes256": hlapi.USM_PRIV_CFB256_AES,
}
_ABSENT = (rfc1905.NoSuchObject, rfc1905.NoSuchInstance, rfc1905.EndOfMibView)
_SILENCE = (errind.RequestTimedOut, errind.EmptyResponse, errind.InvalidMsg, errind.DeserializationError)


def _read_unsigned() -> None:
    """Teach pysnmp's unsigned types what 0xffffffff without a leading zero means."""

    def teach(cls: Any, bits: int) -> None:
        strict = cls.prettyIn

        @functools.wraps(strict)
        def lenient(self: Any, value: Any) -> Any:
            number = strict(self, value)
            return number + (1 << bits) if -(1 << (bits - 1)) <= number < 0 else number

        cls.prettyIn = lenient

    for cls in (rfc1902.Counter32, rfc1902.Gauge32, rfc1902.Unsigned32, rfc1902.TimeTicks):
        teach(cls, 32)
    teach(rfc1902.Counter64, 64)


_read_unsigned()


class SnmpAgent:
    """One agent; every call blocks. Used by one thread at a time.

    Args:
        host: an address, or a name.
        access: what it is told.
        device: its name in errors.
        timeout_s: of one request; it is sent twice.
    """

    def __init__(
        self,
        host: str,
        access: SnmpAccess,
        *,
        device: str,
        port: int = 161,
        timeout_s: float = 2.0,
        retries: int = 1,
    ) -> None:
        self._host, self._port = host, port
        self._access = access
        self._device = device
        self._timeout_s, self._retries = timeout_s, retries
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._unreadable)
        self._engine: Any = None
        self._target: Any = None
        self._asked = self._failed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave nothing open."""
        self._loop.run_until_complete(self._forget())
        self._loop.close()

    def get(self, names: Sequence[Oid]) -> Answer:
        """GET; see `SnmpLink`."""
        wanted = [_Asked(name) for name in names]
        return self._run(lambda *to: hlapi.get_cmd(*to, *wanted, lookupMib=False))

    def following(self, name: Oid, most: int) -> Answer:
        """GETBULK, GETNEXT with version 1; see `SnmpLink`."""
        if self._access.version == "1":
            return self._run(lambda *to: hlapi.next_cmd(*to, _Asked(name), lookupMib=False))
        return self._run(lambda *to: hlapi.bulk_cmd(*to, 0, most, _Asked(name), lookupMib=False))

    def _unreadable(self, _: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        """A datagram broke the library: whoever sends such could fill the log. It counts as no answer."""
        log.debug("snmp.unreadable device=%s error=%r", self._device, told.get("exception"))

    def _run(self, send: Callable[..., Awaitable[Any]]) -> Answer:
        return self._loop.run_until_complete(self._exchange(send))

    async def _exchange(self, send: Callable[..., Awaitable[Any]]) -> Answer:
        await self._make_ready()
        self._asked += 1
        whole_s = self._timeout_s * (self._retries + 1) + _GRACE_S
        try:
            async with asyncio.timeout(whole_s):
                told = await send(self._engine, self._credentials(), self._target, hlapi.ContextData())
        except (TimeoutError, PySnmpError) as e:
            await self._forget()
            raise self._unanswered(str(e) or f"no answer within {whole_s:g} s") from e
        return await self._answer(*told)

    async def _answer(self, problem: Any, status: Any, index: Any, rows: Any) -> Answer:
        if problem is None:
            self._failed = 0
            return Answer(tuple(_row(row) for row in rows), int(status), int(index))
        self._failed += 1
        if self._access.version == "3" and self._failed >= _FAILURES_OF_AN_ENGINE:
            await self._forget()
        if self._target is not None and self._target.is_refused:
            raise DeviceFailed(self._device, Reason.REFUSED, f"nothing listens on UDP port {self._port}")
        if isinstance(problem, _SILENCE):
            raise self._unanswered(_SILENT)
        raise DeviceFailed(
            self._device, Reason.NOT_PERMITTED, f"does not take our name or secrets: {problem}"
        )

    def _unanswered(self, detail: str) -> Unanswered:
        return Unanswered(self._device, Reason.TIMEOUT, detail)

    async def _make_ready(self) -> None:
        if self._asked >= _REQUESTS_OF_AN_ENGINE:
            await self._forget()
        if self._engine is not None:
            return
        kind = _Target6 if _is_v6(self._host) else _Target4
        try:
            self._target = await kind.create(
                (self._host, self._port), timeout=self._timeout_s, retries=self._retries
            )
        except (PySnmpError, OSError) as e:
            detail = f"the name {self._host} has no address: is it written right, is there a name server?"
            raise DeviceFailed(self._device, Reason.NAME_UNKNOWN, detail) from e
        self._engine = hlapi.SnmpEngine()

    async def _forget(self) -> None:
        if self._engine is not None:
            self._engine.close_dispatcher()
        self._engine, self._target = None, None
        self._asked = self._failed = 0
        # The transport closes in the loop's next round.
        await asyncio.sleep(0)

    def _credentials(self) -> Any:
        access = self._access
        if access.version != "3":
            return hlapi.CommunityData(access.community, mpModel=0 if access.version == "1" else 1)
        keys: dict[str, Any] = {}
        if access.auth is not None:
            keys |= {"authKey": access.auth_password, "authProtocol": _AUTH[access.auth]}
        if access.privacy is not None:
            keys |= {"privKey": access.privacy_password, "privProtocol": _PRIVACY[access.privacy]}
        return hlapi.UsmUserData(access.user, **keys)  # noqa: S509 -- some agents cannot encrypt


class _Connected:
    """A socket that only the address that was asked can reach; a mix-in for pysnmp's two."""

    remote: Any
    is_refused = False

    def open_client_mode(self: Any, iface: Any = None, allow_broadcast: bool = False) -> Any:  # noqa: FBT002
        del allow_broadcast
        opening = self.loop.create_datagram_endpoint(lambda: self, local_addr=iface, remote_addr=self.remote)
        self._lport = asyncio.ensure_future(opening)
        return self

    def error_received(self, error: Exception) -> None:
        self.is_refused |= isinstance(error, ConnectionRefusedError)


class _Transport4(_Connected, UdpAsyncioTransport):  # type: ignore[misc]
    pass


class _Transport6(_Connected, Udp6AsyncioTransport):  # type: ignore[misc]
    pass


class _Connects:
    """A target whose transport knows the address beforehand."""

    TRANSPORT: Any

    def open_client_mode(self: Any) -> Any:
        self.transport = self.TRANSPORT()
        self.transport.remote = self.transport_address[:2]
        return self.transport.open_client_mode(self.iface)

    @property
    def is_refused(self: Any) -> bool:
        return self.transport is not None and self.transport.is_refused


class _Target4(_Connects, hlapi.UdpTransportTarget):  # type: ignore[misc]
    TRANSPORT = _Transport4


class _Target6(_Connects, hlapi.Udp6TransportTarget):  # type: ignore[misc]
    TRANSPORT = _Transport6


def _is_v6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004 -- the version's number
    except ValueError:
        return False


class _Asked(hlapi.ObjectType):  # type: ignore[misc]
    """An object's name as it goes over the wire; looking it up in MIBs took a third of a poll."""

    def __init__(self, name: Oid) -> None:
        self._name = rfc1902.ObjectName(name)

    def resolve_with_mib(self, *_: Any, **__: Any) -> Any:
        return self._name, rfc1905.unSpecified


def _row(row: Any) -> tuple[Oid, Value | None]:
    name, value = row
    return name.asTuple(), _value(value)


def _value(value: Any) -> Value | None:
    if isinstance(value, _ABSENT) or not value.hasValue():
        return None
    if isinstance(value, rfc1902.ObjectIdentifier | rfc1902.univ.ObjectIdentifier):
        return tuple(map(int, value))
    if isinstance(value, rfc1902.univ.Integer):
        return int(value)
    if isinstance(value, rfc1902.univ.Null):
        return None
    return bytes(value)
