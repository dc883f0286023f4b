"""The real reader, with the faults of a decoder written in C: the last bytes of a file say which."""

import os
import signal
import time
from typing import Any

from daemon.processes.reader_process import ReaderProcess
from daemon.processes.readers import Photo
from daemon.storage.files import Handle

CRASHES, STALLS, MUTTERS = b"CRASHES!", b"STALLS!!", b"MUTTERS!"


class FaultyReader(ReaderProcess):
    """Dies, hangs or prints before it reads, if the file says so."""

    def read(self, file: Handle, limits: dict[str, Any]) -> Photo:
        end = os.pread(file.fd, 8, max(0, os.fstat(file.fd).st_size - 8))
        if end == CRASHES:
            os.kill(os.getpid(), signal.SIGSEGV)
        elif end == STALLS:
            time.sleep(1000)
        elif end == MUTTERS:
            os.write(2, b"TIFFReadDirectory: Warning, \x1b[31munknown field\n")
        return super().read(file, limits)
