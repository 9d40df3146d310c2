"""Which addresses are public: pure policy, asked about every address actually connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NAT64 = IPv6Network("64:ff9b::/96")

# Not yet known to every `ipaddress`, or public on paper only.
_ALSO_INTERNAL = (
    ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ip_network("168.63.129.16/32"),  # Azure's wire server, which answers inside a virtual machine only
    ip_network("3fff::/20"),  # documentation, RFC 9637
)

_FAKE = ip_network("198.18.0.0/15")  # for bench tests, RFC 2544; no host of the internet or of a home has one


def is_public(address: str) -> bool:
    """Say whether *address* lies on the public internet; what is not a plain IP address does not.

    IPv6 addresses that carry an IPv4 one (mapped, 6to4, Teredo, NAT64) are judged by what they carry.

    >>> is_public("93.184.216.34"), is_public("::ffff:127.0.0.1"), is_public("127.1")
    (True, False, False)
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return all(_is_public(inner) for inner in _carried(ip))


def is_fake(address: str) -> bool:
    """Say whether *address* is one that proxy programs (Clash, Surge, sing-box) make up as an answer to DNS.

    A connection to it is taken over by that program and goes to the name that was asked for.

    >>> is_fake("198.18.0.7"), is_fake("192.168.0.7")
    (True, False)
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return all(isinstance(inner, IPv4Address) and inner in _FAKE for inner in _carried(ip))


def _carried(ip: IPv4Address | IPv6Address) -> tuple[IPv4Address | IPv6Address, ...]:
    match ip:
        case IPv4Address():
            return (ip,)
        case IPv6Address(ipv4_mapped=IPv4Address() as inner) | IPv6Address(sixtofour=IPv4Address() as inner):
            return (inner,)
        case IPv6Address(teredo=(IPv4Address() as server, IPv4Address() as client)):
            return (server, client)
        case IPv6Address() if ip in _NAT64:
            return (IPv4Address(int(ip) & 0xFFFF_FFFF),)
        case _:
            return (ip,)


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if isinstance(ip, IPv6Address) and ip.is_site_local:
        return False
    return not any(ip.version == network.version and ip in network for network in _ALSO_INTERNAL)
