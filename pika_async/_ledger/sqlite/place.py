"""Where a ledger's file lies: whether what the file system promises is enough for it."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Literal, TypeAlias

from pika_async._ledger.faults import unusable

log = logging.getLogger("pika_async")

Promise: TypeAlias = Literal["local", "network", "unknown"]

_MOUNTS = Path("/proc/self/mounts")
# These keep locks, shared memory and fsync for all processes that can see the file.
_LOCAL = re.compile(
    r"ext[234]|xfs|btrfs|bcachefs|zfs|f2fs|jfs|nilfs2|reiserfs|ubifs|tmpfs|ramfs|rootfs|overlay|aufs|ecryptfs"
    r"|apfs|hfs|hfsplus|ufs|exfat|vfat|msdos|ntfs3?|fuseblk|lxfs|wslfs"
    r"|fuse\.(ext[234]|zfs|ntfs(-3g)?|exfat|fuse-overlayfs|encfs|gocryptfs|cryfs|bindfs)"
)
# Somebody on another machine, or outside of this virtual machine, may have the file open as well.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|ncpfs|afs|coda|ceph|lustre|gfs2?|ocfs2|gpfs|beegfs\w*|glusterfs|orangefs|pvfs2|davfs2?"
    r"|9p|drvfs|virtiofs|vboxsf|vmhgfs|prl_fs|grpcfuse|osxfs|fakeowner|fuse|fuse\..+"
)


def prepare(path: Path) -> None:
    """Make the file, for its owner alone; raises `LedgerError` where a ledger cannot be kept."""
    if not path.parent.is_dir():
        raise unusable(path, f"the folder {path.parent.name or path.parent} does not exist. Create it first")
    if path.is_dir():
        raise unusable(path, "it is a folder. Choose a file")
    kind = filesystem(path, _MOUNTS.read_text(errors="replace")) if _MOUNTS.exists() else None
    match None if kind is None else promise(kind):
        case "network":
            raise unusable(
                path,
                f"it lies on a network file system ({kind}), or one shared with another machine, which loses "
                "commits. Use a local disk",
            )
        case "unknown":
            log.warning(
                "ledger %s: it lies on a file system that we do not know (%s); use a local disk unless you "
                "know that locks and fsync hold there for all processes",
                path.name,
                kind,
            )
    try:
        # Only ever created here, never opened: closing a second handle would drop SQLite's locks.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise unusable(path, f"it cannot be made ({error.strerror}). Choose another place") from error


def promise(kind: str) -> Promise:
    """Return what is known of a kind of file system.

    >>> promise("ext4"), promise("fuse.sshfs"), promise("newfs")
    ('local', 'network', 'unknown')
    """
    if _LOCAL.fullmatch(kind):
        return "local"
    return "network" if _NETWORK.fullmatch(kind) else "unknown"


def filesystem(path: Path, mounts: str) -> str | None:
    """Return the kind of the file system that *path* is on, by a table like that of Linux.

    >>> filesystem(Path("/home/me/jobs.db"), "server:/home /home nfs4 rw 0 0")
    'nfs4'
    """
    longest, found = -1, None
    for line in mounts.splitlines():
        point, kind, *_ = [*line.split(" ")[1:3], "", ""]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if point and path.is_relative_to(point) and len(point) >= longest:
            longest, found = len(point), kind
    return found
