"""The file-system steps of this process under a folder, counted, and a fault at one of them.

A step is what the system does at once: a file opened for writing, created, renamed, deleted, its mode changed, a folder
made or removed. Python announces each before it happens. An opened file counts twice: before it is there, and when it
is there but empty.
"""

import os
import signal
import sys

CHANGES = {"os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.mkdir": 0, "os.chmod": 0}  # which argument to tell
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Steps:
    """Tells of every step under a folder, from now on until the process ends: a hook cannot be taken off."""

    def __init__(self, below, fault, log):
        """fault: function of number of the step, path, whether an empty file is there by now, and what gets that name.

        log: file descriptor that is told of each step, `number renamed`, once it did not fail here.
        """
        self.below, self.fault, self.log = str(below), fault, log
        self.count = 0
        sys.addaudithook(self._heard)

    def _heard(self, event, args):
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & WRITING:
                self.native(path)
        elif event in CHANGES:
            self._step(_whole(args[CHANGES[event]], args[-1]), renamed=args[0] if event == "os.rename" else "")

    def native(self, path):
        """The same of a file that a library opens by itself."""
        self._step(path)
        self._step(path, begun=True)

    def _step(self, path, begun=False, renamed=""):
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path).startswith(self.below):
            return
        self.count += 1
        self.fault(self.count, os.fspath(path), begun, renamed)
        os.write(self.log, f"{self.count} {os.fspath(path) if renamed else ''}\n".encode())


def _whole(path, folder):
    """A path that is told relative to an open folder, as `shutil.rmtree` names what it deletes."""
    return path if folder < 0 or os.path.isabs(path) else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)


def nothing(*_):
    """No fault."""


def killed(at, torn=False):
    """`kill -9` at one step; torn: while half is written of the file that gets its name there."""

    def fault(number, path, begun, renamed):
        if number == at:
            if begun and not os.path.isdir(path):
                open(path, "ab").close()  # there, and empty: nothing opens an existing file to write it anew
            if torn and os.path.isfile(renamed):
                os.truncate(renamed, os.path.getsize(renamed) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


def refusing(at, number):
    """From one step on, the system answers nothing but this error."""

    def fault(count, path, begun, _):
        if count >= at and not begun:
            raise OSError(number, os.strerror(number), path)

    return fault
