"""What is said to the person at the terminal: everything but results, and all of it on stderr."""

from __future__ import annotations

import click


def printable(text: str) -> str:
    r"""Take out what could steer a terminal; providers' words are not ours.

    >>> printable("no\x1b[2J\ncredit")
    'no [2J credit'
    """
    return "".join(char if char.isprintable() else " " for char in text)


def say(*lines: str) -> None:
    """Print *lines* as they are, however long: a token must survive being copied."""
    for line in lines:
        click.echo(printable(line), err=True)


def seconds(count: float) -> str:
    """Say a time as a person would.

    >>> seconds(0.04), seconds(2.34), seconds(90), seconds(1800)
    ('0.04 s', '2.3 s', '90 s', '30 min')
    """
    if count >= 120:
        return f"{count / 60:.0f} min"
    return f"{count:.0f} s" if count >= 10 else f"{count:.2g} s"


def age(passed: float) -> str:
    """Say how long ago something was, in five characters at most.

    >>> age(3.2), age(300), age(7200), age(864_000), age(-5)
    ('3 s', '5 m', '2 h', '10 d', '0 s')
    """
    for unit, length in (("y", 31_557_600), ("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= 2 * length:
            return f"{passed / length:.0f} {unit}"
    return f"{max(passed, 0):.0f} s"


def size(count: int) -> str:
    """Say a number of bytes as a person would.

    >>> size(999), size(4312), size(25_600_000)
    ('999 B', '4.3 kB', '25.6 MB')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
