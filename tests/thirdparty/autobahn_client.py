"""Runs the Autobahn fuzzing client, Python 2 source as it is published, on Python 3; needs a venv made by autobahn.sh.

    VENV/bin/python autobahn_client.py PORTED-INTO RESULT.json CASES NAME=URL [NAME=URL ...]

Text of Python 2 is bytes. The suite's sources are read as Latin-1, so that each byte of a literal becomes a character,
ported by lib2to3, and run on `str`; where its text meets the wire, characters become bytes again, and back. The reports
are not made: all that is wanted is the verdict of each case, {name: {case: [behaviour, behaviour of the close]}}.
"""
# ruff: noqa: PLC0415  what the suite imports is there only after the port, and only in its own environment

import importlib.util
import json
import re
import sys
import types
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

PARTS = ("fuzzing.py", "caseset.py", "case")
NOT_PORTED = ("case12_x_x.py", "case9_9_1.py")
"""Compression needs its test data and zlib on text, 9.9.1 another framework: left out."""

TEXT = """
import binascii
from autobahn.websocket import utf8validator

def b2a_hex(text):
    return binascii.b2a_hex(text.encode('latin-1') if isinstance(text, str) else text).decode()

class Utf8Validator(utf8validator.Utf8Validator):
    def validate(self, text):
        return super().validate(text.encode('latin-1'))
"""
"""What the suite asks of its surroundings, on text."""


def port(into: Path) -> None:
    """The suite's parts that a client needs, as a package `suite` below `into`. Done once."""
    from lib2to3.refactor import RefactoringTool, get_fixers_from_package

    spec = importlib.util.find_spec("autobahntestsuite")
    if spec is None or spec.origin is None:
        sys.exit("autobahntestsuite is not installed here: see autobahn.sh")
    source, target = Path(spec.origin).parent, into / "suite"
    if (target / "done").exists():
        return
    tool = RefactoringTool(get_fixers_from_package("lib2to3.fixes"))
    for part in PARTS:
        found = sorted((source / part).glob("*.py")) if (source / part).is_dir() else [source / part]
        for file in found:
            if file.name in NOT_PORTED:
                continue
            text = file.read_text("latin-1").expandtabs(3) + "\n"
            text = re.sub(r"^(\s*)print ", r"\1pass; ", text, flags=re.M) if part == "fuzzing.py" else text
            text = re.sub(r"^.*(case|Case)(12_|13_|9_9_).*$", "", text, flags=re.M)
            text = re.sub(r"^from (case\w*|caseset|report) import", r"from .\1 import", text, flags=re.M)
            text = re.sub(r"^import (case\w+)$", r"from . import \1", text, flags=re.M)
            text = text.replace("(object, Case, )", "(Case, )").replace(", pkg_resources", "")
            text = text.replace(" / self.p.autoFragmentSize", " // self.p.autoFragmentSize")
            text = re.sub(r"(\.encode\([^()]*\))", r"\1.decode('latin-1')", text)
            text = re.sub(r"^import (.*)\bbinascii\b", r"import \1suite.text as binascii", text, flags=re.M)
            text = text.replace("from autobahn.websocket.utf8validator", "from suite.text")
            text = re.sub(r"unichr\((\w+)\)\.encode\((.*?)\)\.", r"unichr(\1).encode(\2, 'surrogatepass').", text)
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(str(tool.refactor_string(text, file.name)))
    (target / "__init__.py").touch()
    (target / "report.py").write_text("CSS_COMMON = CSS_DETAIL_REPORT = CSS_MASTER_REPORT = JS_MASTER_REPORT = ''\n")
    (target / "text.py").write_text(TEXT)
    (target / "done").touch()


def octets(text: Any) -> Any:
    """Text of the suite as it goes over the wire."""
    return text.encode("latin-1") if isinstance(text, str) else text


def run(result: Path, cases: list[str], servers: dict[str, str]) -> None:
    """All cases against one server after the other; the verdicts are written when the last one has ended."""
    stub = types.ModuleType("autobahntestsuite")
    stub.version = "ported"  # type: ignore[attr-defined]
    sys.modules["autobahntestsuite"] = stub
    import autobahn
    autobahn.version = autobahn.__version__
    from suite import fuzzing
    from suite.case.case import Case
    from twisted.internet import reactor

    Case.compare = lambda self, one, other: one == other  # pickles of equal things need not be equal in Python 3
    fuzzing.asciiLogData = fuzzing.binLogData = lambda data, *rest, **more: repr(data[:64])
    suite = fuzzing.FuzzingClientProtocol

    class Protocol(suite):  # type: ignore[misc,valid-type]
        """The suite's protocol, with octets on its outside."""

        def connectionMade(self) -> None:
            super().connectionMade()
            self.createWirelog = False

        def onMessage(self, payload: bytes, binary: bool) -> None:
            super().onMessage(payload.decode("latin-1"), binary)

        def onPong(self, payload: bytes) -> None:
            super().onPong(payload.decode("latin-1"))

        def onPing(self, payload: bytes) -> None:
            super().onPing(payload)  # answered by the library

        def sendMessage(self, payload: object, *rest: object, **more: object) -> None:
            super().sendMessage(octets(payload), *rest, **more)

        def sendPing(self, payload: object = None) -> None:
            super().sendPing(octets(payload))

        def sendPong(self, payload: object = None) -> None:
            super().sendPong(octets(payload))

        def sendFrame(self, opcode: int, payload: object = b"", payload_len: int | None = None, **more: object) -> None:
            data = octets(payload)
            if payload_len is not None:  # repeated to that length; the library divides as Python 2 does
                data = (data * (payload_len // len(data) + 1))[:payload_len]
            super().sendFrame(opcode, data, **more)

        def sendMessageFrameData(self, payload: object, sync: bool = False) -> object:
            return super().sendMessageFrameData(octets(payload), sync)

        def sendCloseFrame(self, code: object = None, reasonUtf8: object = None, isReply: bool = False) -> None:
            super().sendCloseFrame(code, octets(reasonUtf8), isReply)

        def sendData(self, data: object, *rest: object, **more: object) -> None:
            super().sendData(octets(data), *rest, **more)

    def verdicts(factory: object, **_: object) -> None:
        result.write_text(json.dumps({
            name: {case: [seen["behavior"], seen["behaviorClose"]] for case, seen in cases.items()}
            for name, cases in factory.agents.items()}, indent=1))  # type: ignore[attr-defined]

    fuzzing.FuzzingClientProtocol = Protocol
    fuzzing.FuzzingClientFactory.protocol = Protocol
    fuzzing.FuzzingFactory.createReports = verdicts
    fuzzing.startClient({"servers": [{"agent": name, "url": url} for name, url in servers.items()], "cases": cases,
                         "exclude-cases": [], "exclude-agent-cases": {}})
    reactor.run()


if __name__ == "__main__":
    ported = Path(sys.argv[1])
    port(ported)
    sys.path.insert(0, str(ported))
    run(Path(sys.argv[2]), sys.argv[3].split(","), dict(pair.split("=", 1) for pair in sys.argv[4:]))
