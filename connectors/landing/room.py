"""The loader's own disk: rows as received wait on it while their batch is under way, and files that need random access
are copied to it. What the warehouse says of its disk belongs to `warehouse.database`."""

from __future__ import annotations

import errno
import re
from tempfile import gettempdir

from warehouse.errors import TransientError

# A full disk, a quota, a limit on the size of files.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Polars raises the operating system's error without its number.
_NUMBER = re.compile(r"\(os error (\d+)\)$")


def out_of_room(error: Exception) -> TransientError | None:
    """What to say where an error means that the disk is full; None where it means something else."""
    if not isinstance(error, OSError):
        return None
    found = _NUMBER.search(str(error))
    number = int(found[1]) if error.errno is None and found else error.errno
    if number not in _NO_ROOM:
        return None
    return TransientError(
        "The loader has no room left on its own disk.",
        where=f"directory for temporary files, {gettempdir()}",
        expected="room for the rows of the batch under way, as they came",
        do="free or add space there, or set TMPDIR to where there is some; the next run goes on from there",
    )
