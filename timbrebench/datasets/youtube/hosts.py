"""Which hosts may be asked: public ones, unless networks are named.

A list from outside must not make this machine ask its own network. Names are resolved and every
address is checked at the moment when a socket connects to it, so that neither a redirect nor a
name that changes its address leads inside.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

EVERYWHERE = ("0.0.0.0/0", "::/0")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MAY_RUN = ("deno",)  # the sandboxed JavaScript that yt-dlp reads YouTube with
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(OSError):
    """What a guarded process must not do, with the reason."""


def why_private(host: str, networks: Sequence[str] = ()) -> str:
    """Why a host as a URL writes it is refused; '' for public addresses and for names, which
    :func:`guard` checks when they are resolved."""
    if networks:
        return ""  # each address is checked by the guard
    name = host.lower().rstrip(".")
    if (address := _literal(name)) is not None:
        return why_inside(address)
    local = "." not in name or name.endswith(_LOCAL_NAMES)
    return f"the host '{host}' is in a private network" if local else ""


def _literal(host: str) -> Address | None:
    """The address that a host is, in any form that systems take: 127.1, 0x7f000001, ::1."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def why_inside(address: Address, networks: Iterable[str] = ()) -> str:
    """Why an address must not be asked; '' if it may: it is public, or in one of the networks."""
    inner = [address, *_embedded(address)]
    public = all(a.is_global and not a.is_multicast for a in inner)
    named = any(inner[-1] in ipaddress.ip_network(n) for n in networks)
    return "" if public or named else f"the address {address} is in a private network"


def _embedded(address: Address) -> list[Address]:
    """The IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    found = address.ipv4_mapped or address.sixtofour
    return [found] if found else []


def guard(networks: Sequence[str]) -> list[str]:
    """From now on this process connects to allowed addresses only and starts no program but the
    sandbox. For good: an audit hook cannot be removed. Returns a list that gets the refused
    addresses: what asked for one may tell another reason.
    """
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            if reason := _wrong_with_peer(arguments[1], networks):
                refused.append(reason)
                raise Forbidden(reason)
        elif event in _STARTS and (reason := _wrong_with_program(event, arguments)):
            raise Forbidden(reason)

    sys.addaudithook(hook)
    return refused


def _wrong_with_peer(peer: Any, networks: Sequence[str]) -> str:
    if not isinstance(peer, tuple):
        return "" if peer is None else "a socket of this machine is refused"
    address = _literal(str(peer[0]))
    if address is None:
        return f"the address {peer[0]} is not known"
    return why_inside(address, networks)


def _wrong_with_program(event: str, arguments: tuple[Any, ...]) -> str:
    program = PurePath(str(arguments[0])).name if arguments else event
    allowed = event in ("subprocess.Popen", "os.posix_spawn") and program in _MAY_RUN
    return "" if allowed else f"the program '{program}' is refused"
