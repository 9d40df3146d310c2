"""What `doctor` finds: each thing with its state, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import ssl
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import anyio
from attrs import frozen

from pika_async import PikaError, _registry
from pika_async._ledger.records import AttemptState
from pika_async._ledger.sqlite import SqliteLedger

_OLDEST_PYTHON: Final = (3, 11)
_BUILT: Final = 1_735_689_600.0
"""2025 began then: no clock that is right says less."""
_PATIENCE: Final = 10.0


@frozen(kw_only=True)
class Finding:
    """One thing examined; *advice* says what to do, where there is something to do."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    told: str
    advice: str = ""


def versions() -> Iterator[Finding]:
    """Return the versions of Python and of what we need."""
    yield Finding(
        subject="python",
        state="ok" if sys.version_info >= _OLDEST_PYTHON else "wrong",
        told=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        advice="" if sys.version_info >= _OLDEST_PYTHON else "Install Python 3.11 or newer.",
    )
    for name in ("pika-async", *_needed()):
        try:
            yield Finding(subject=name, state="ok", told=version(name))
        except PackageNotFoundError:
            yield Finding(
                subject=name,
                state="wrong",
                told="is not installed",
                advice="Run: pip install 'pika-async[cli]'",
            )


def _needed() -> list[str]:
    try:
        stated = requires("pika-async") or []
    except PackageNotFoundError:
        return []
    ours = (need for need in stated if "extra" not in need or re.search(r"extra\s*==\s*.cli.", need))
    return sorted({re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in ours})


def providers() -> Iterator[Finding]:
    """Return which providers work, and whose key is set; never what it is."""
    able = [plugin.capabilities for plugin in _registry.plugins().values() if plugin.capabilities]
    for plugin in _registry.plugins().values():
        if plugin.capabilities is None:
            yield Finding(
                subject=plugin.name,
                state="wrong",
                told=f"is broken: {plugin.broken}",
                advice=f"Update or remove {plugin.distribution}.",
            )
            continue
        variables = plugin.capabilities.key_variables
        held = [name for name in variables if os.environ.get(name, "").strip()]
        yield Finding(
            subject=plugin.name,
            state="ok" if held or not variables else "note",
            told=f"works; its key is in {held[0]}" if held else "works; no key is set",
            advice="" if held or not variables else f"To use it, set {' or '.join(variables)}.",
        )
        yield from _unusable_key(plugin.name, held)
    if not able:
        yield Finding(
            subject="providers",
            state="wrong",
            told="none works",
            advice="Install pika-async again, or a distribution that offers one.",
        )


def _unusable_key(name: str, held: list[str]) -> Iterator[Finding]:
    if not held:
        return
    try:
        _registry.make(name)
    except PikaError as error:
        yield Finding(subject=name, state="wrong", told="cannot use its key or address", advice=error.message)


async def ledger(path: Path) -> list[Finding]:
    """Return whether the ledger can be read and what in it waits for a person; makes no file."""
    if not await anyio.Path(path).exists():
        return [
            Finding(subject="ledger", state="ok", told=f"{path} does not exist yet; the first job makes it")
        ]
    store = SqliteLedger(path)
    try:
        await store.open()
        try:
            unfinished = await store.unfinished()
        finally:
            await store.aclose()
    except PikaError as error:
        return [Finding(subject="ledger", state="wrong", told=f"{path} cannot be used", advice=error.message)]
    told = f"{path} is sound; {len(unfinished)} {'job is' if len(unfinished) == 1 else 'jobs are'} under way"
    findings = [Finding(subject="ledger", state="ok", told=told)]
    unresolved = [job.id for job in unfinished if job.newest.state is AttemptState.UNRESOLVED]
    if unresolved:
        findings.append(
            Finding(
                subject="unresolved",
                state="wrong",
                told=f"{len(unresolved)} of them may have been bought, or not: only a person can tell",
                advice="Look at the provider's console, then settle each, such as with: "
                f"pika-async resolve --ledger {path} {unresolved[0]}",
            )
        )
    return findings


def clock(beside: Path) -> list[Finding]:
    """Return whether the clock can be right: leases and history look-ups are measured with it."""
    now = time.time()
    newest = beside.stat().st_mtime if beside.exists() else 0.0
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _BUILT or newest > now + 60.0:
        return [
            Finding(
                subject="clock",
                state="wrong",
                told=f"says {said}, which is past"
                if now < _BUILT
                else f"says {said}, before the ledger's last change",
                advice="Set the clock; lost answers are looked for by time.",
            )
        ]
    return [Finding(subject="clock", state="ok", told=f"says {said}")]


async def network() -> list[Finding]:
    """Connect to each working provider, without a request; a proxy of the environment is not used."""
    addresses = {
        plugin.name: _address(plugin) for plugin in _registry.plugins().values() if plugin.capabilities
    }
    found = await asyncio.gather(*(_reached(name, url) for name, url in addresses.items() if url))
    return list(found)


def _address(plugin: _registry.Plugin) -> str | None:
    try:
        return _registry.make(plugin.name, api_key="unset").origin
    except PikaError:
        return None


async def _reached(name: str, url: str) -> Finding:
    parts = urlsplit(url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    began = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=secure)
        writer.close()
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        return Finding(
            subject=name,
            state="wrong",
            told=f"{parts.netloc} cannot be reached: {why}",
            advice="Check network, firewall and address; a proxy was not tried.",
        )
    passed = 1000 * (time.monotonic() - began)
    return Finding(subject=name, state="ok", told=f"{parts.netloc} answers in {passed:.0f} ms")
