"""Which addresses are public."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._download.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "1.1.1.1",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_are_public(address):
    """Addresses that anyone on the internet can reach are public, wrapped or not."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.2.1",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff0e::1",
        "2001:db8::1",
        "3fff::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:0:808:808:0:0:80ff:fffe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::808:808",
    ],
)
def test_internal_addresses_are_not_public(address):
    """Loopback, private, link-local, shared, reserved and multicast ranges are refused, wrapped or not."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "text", ["2130706433", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1", "localhost", "", "8.8.8.8:80"]
)
def test_what_is_no_plain_address_is_not_public(text):
    """A spelling that only a resolver would understand is refused unread."""
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_wrapping_changes_nothing(inner: IPv4Address):
    """An IPv4 address is as public as every IPv6 address that carries it."""
    number = int(inner)
    mapped = IPv6Address((0xFFFF << 32) | number)
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    six_to_four = IPv6Address((0x2002 << 112) | (number << 80) | 1)
    teredo = IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF))
    assert {is_public(str(outer)) for outer in (mapped, nat64, six_to_four, teredo)} == {
        is_public(str(inner))
    }


@given(st.ip_addresses())
def test_no_public_address_is_private(ip):
    """Whatever the standard library calls private, loopback or link-local is never public."""
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        assert not is_public(str(ip))
