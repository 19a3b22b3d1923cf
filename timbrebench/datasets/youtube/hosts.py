"""Which hosts may be asked: public ones, unless networks are named.

A list from outside must not make this machine ask its own network. Names are resolved and every
address is checked at the moment when a socket connects to it, so that neither a redirect nor a
name that changes its address leads inside.
"""

import ipaddress
import socket
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

from timbrebench.core.errors import shown

EVERYWHERE = ("0.0.0.0/0", "::/0")
_LOCAL_NAMES = (".localhost", ".localdomain", ".local", ".internal", ".lan", ".home.arpa")
# Not left to ``ipaddress``, whose lists differ from one Python to the next. After IANA's registries
# of special-purpose addresses (RFC 6890): what is not reached from everywhere.
_SPECIAL_V4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
)
_SPECIAL_V6 = ("2001::/23", "2001:db8::/32", "3ffe::/16", "3fff::/20")
_BLOCKED = tuple(map(ipaddress.ip_network, (*_SPECIAL_V4, *_SPECIAL_V6)))
_GLOBAL = ipaddress.ip_network("2000::/3")  # all that is given out of IPv6
_TEREDO = ipaddress.ip_network("2001::/32")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ALLOW = "--allow-private allows it"
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
    name = unicodedata.normalize("NFKC", unquote(host)).lower()  # as who asks for it may read it
    name = name.replace("\u3002", ".").rstrip(".")
    if (address := _literal(name)) is not None:
        return why_inside(address)
    local = "." not in name or name.endswith(_LOCAL_NAMES)
    return f"the host '{shown(host)}' is in a private network ({_ALLOW})" if local else ""


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
    inner = _embedded(address)
    public = all(_is_public(a) for a in (address, *inner))
    named = any((inner or [address])[-1] in ipaddress.ip_network(n) for n in networks)
    told = f"the address {address} is in a private network ({_ALLOW})"
    return "" if public or named else told


def _is_public(address: Address) -> bool:
    if address in _TEREDO or address in _NAT64:
        return True  # if those that it leads to are
    if address.version == 6 and address not in _GLOBAL:
        return False
    return not any(address in network for network in _BLOCKED)


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.teredo:
        return list(address.teredo)
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
