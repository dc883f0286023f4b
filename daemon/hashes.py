"""What a file is known by, wherever it lies and whatever it is called."""

import hashlib
import os

BLOCK = 1 << 20  # bytes hashed at a time


def sha256(fd: int) -> str:
    """Of a whole open file, 64 hexadecimal digits; the descriptor's offset stays where it is. OSError."""
    total, offset = hashlib.sha256(), 0
    while block := os.pread(fd, BLOCK, offset):
        total.update(block)
        offset += len(block)
    return total.hexdigest()
