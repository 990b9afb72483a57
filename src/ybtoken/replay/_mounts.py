"""Whether a file is on a disk of this machine.

SQLite's write-ahead log needs memory that all users of the file share, so two machines on one file would each accept a
code once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ybtoken.words import BoundsError

__all__ = ["refuse_shared"]

_LOCAL = frozenset(
    {"apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "nilfs2", "ntfs3",
     "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "ubifs", "vfat", "xfs", "zfs"}
)  # fmt: skip
_SHARED = frozenset({"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"})
_MOUNTS, _OPEN = Path("/proc/self/mountinfo"), Path("/proc/self/fdinfo")


def refuse_shared(path: Path, *, stated: bool) -> None:
    """Refuse a file that other machines share, or may share although the caller has not ``stated`` that none does.

    Args:
        path: the file, with no symbolic link in it.
        stated: whether the caller states that no other machine uses it. A network share is refused all the same.

    Raises:
        ValueError: it is refused.
    """
    kind = _file_system(path)
    if kind in _SHARED:
        raise BoundsError(
            f"it is on a file system that other machines share ({kind}): use a local disk",
            f"位于多机共享的文件系统（{kind}）：请改用本地磁盘",
        )
    if kind not in _LOCAL and kind != "" and not stated:
        raise BoundsError(
            f"it is on a file system that other machines may share ({kind}): use a local disk, or state local=True if "
            f"no other machine uses the file",
            f"位于可能由多机共享的文件系统（{kind}）：请改用本地磁盘；若确无其他机器使用该文件，请声明 local=True",
        )


def _file_system(path: Path) -> str:
    """The type of the file system of a file, or of its folder if there is no file; "" if this system does not say."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    folder = _mount(path.parent)
    if path.exists() and _mount(path) != folder:  # it has another name elsewhere, and a log by each name
        raise BoundsError(
            "it is a mount of its own, so others look for its log elsewhere: mount its folder",
            "该文件是单独挂载的，其他进程会到别处寻找其日志：请挂载其所在目录",
        )
    # mountinfo: number, parent, device, root, mount point, options, [tags] - kind, source, options
    kinds = {line.split()[0]: line.partition(" - ")[2].split()[0] for line in lines}
    return kinds.get(folder, "unknown")


def _mount(path: Path) -> str:
    """The number of the mount, because of several mounts at one place one hides the others; "" if it is not known."""
    # Closing another kind of descriptor would give up the locks that SQLite has on the file in this process.
    descriptor = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
    try:
        (mount,) = re.findall(r"^mnt_id:\s*(\d+)$", (_OPEN / str(descriptor)).read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return ""
    finally:
        os.close(descriptor)
    return str(mount)
