"""The warden as a process: its socket, its log, the parts of the kernel that it sees to, its end."""

import signal
import socket
import sys

from sbc.kernel.addresses import Addresses
from sbc.kernel.filtering import Filtering
from sbc.kernel.shaping import Shaping
from sbc.kernel.warden import Warden, open_door
from sbc.model.errors import SbcError
from sbc.telemetry import logs
from sbc.telemetry.systemd import listen_fds

log = logs.get("sbc.kernel")


def run(path: str, user: str | None) -> int:
    """Serve edges until SIGTERM or SIGINT; the exit status. path: of the socket, if systemd passes none."""
    writer = logs.setup("info", sys.stderr, short=sys.stderr.isatty())
    try:
        passed = [door for doors in listen_fds().values() for door in doors if door.family == socket.AF_UNIX]
        warden = Warden(passed[0] if passed else open_door(path), [Shaping(), Filtering(), Addresses()], user)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, warden.stop)
        log.info("warden_ready", path=path, user=user)
        warden.serve()
        log.info("warden_stopped")
    except (OSError, SbcError) as error:
        log.error("warden_failed", why=str(error))
        return 1
    finally:
        writer.close()
    return 0
