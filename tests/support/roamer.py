"""A client as a process, to be moved to another network in the middle of what it hears (tests/support/roaming.py).

    python -m tests.support.roamer --mode websocket --url https://10.203.0.1:8443/ --ca FILE --out FILE

`websocket`: a session of the client SDK over HTTP/3, with numbered traffic both ways, judged by the oracle at its end.
`events`: an event stream, by the HTTP/3 library named. Each message is a line of `--out`; the last one is `whole`.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from sbc.sdk.client import Transport
from tests.support.caller import Caller
from tests.support.h3_client import H3Client
from tests.support.oracle import exactly_once

MESSAGES = 70


async def websocket(options: argparse.Namespace, out: TextIO) -> None:
    """Say, and hear."""
    async with Caller(options.url, ca_file=options.ca, transports=[Transport.HTTP3], ping=2.0) as caller:
        told = 0
        for _ in range(MESSAGES):
            await caller.say(2, ballast=2000)
            await asyncio.sleep(0.02)
            for message in caller.heard[told:]:
                print(json.dumps(message), file=out, flush=True)
            told = len(caller.heard)
        await caller.answered()
        exactly_once(caller)


async def events(options: argparse.Namespace, out: TextIO, trust: bytes) -> None:
    """Ask once, and read to the end."""
    parts = urlsplit(options.url)
    client = await H3Client.connect(parts.port or 443, options.library, host=parts.hostname or "", source="0.0.0.0",
                                    trust=trust)
    more = [(b"accept", b"text/event-stream"), (b"x-chat", b"c")]
    answer = client.answers[client.ask(b"/events?count=%d&every=0.02&pad=2000" % MESSAGES, more=more)]
    told = 0
    while not answer.over:
        await asyncio.sleep(0.1)
        client.ping()  # whoever only hears has to show now and then where it is
        while told < answer.body.count(b"\n\n"):
            told += 1
            print(told, file=out, flush=True)
    numbers = [json.loads(line[6:])["i"] for line in answer.body.split(b"\n") if line.startswith(b"data: {")]
    assert answer.complete and numbers == list(range(1, MESSAGES + 1)), (answer.reset, numbers)
    client.close()


def main() -> None:
    """Play the part, and say whether it went well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["websocket", "events"], required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--library", default="qh3")
    options = parser.parse_args()
    with Path(options.out).open("w") as out:
        asyncio.run(websocket(options, out) if options.mode == "websocket" else
                    events(options, out, Path(options.ca).read_bytes()))
        print("whole", file=out)


if __name__ == "__main__":
    main()
