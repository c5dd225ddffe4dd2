#!/bin/sh
# Fetches the Autobahn test suite into a virtual environment of its own below var/, then compares what it says of a node
# with what it says of the same node behind the edge. Minutes the first time, half a minute then.
set -eu
cd "$(dirname "$0")/../.."
place=$PWD/var/autobahn
python=.venv/bin/python
if ! "$python" -c 'import lib2to3' 2>/dev/null; then
    echo "error: needs a Python with lib2to3 (3.11 or 3.12) in .venv" >&2
    exit 1
fi
if [ ! -e "$place/installed" ]; then
    "$python" -m venv "$place/venv"
    pip="$place/venv/bin/python -m pip install --quiet --disable-pip-version-check"
    $pip 'setuptools<81' wheel Twisted pyOpenSSL service_identity six txaio==2.1.0
    # Their own requirements ask for packages of Python 2.
    $pip --no-deps --no-build-isolation autobahn==0.10.9 autobahntestsuite==25.10.1
    touch "$place/installed"
fi
SBC_AUTOBAHN=$place exec "$python" -m pytest tests/thirdparty/test_autobahn.py "$@"
