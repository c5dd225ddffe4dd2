#!/bin/sh
# Fetches the MCP conformance suite from npm into var/, then compares what it says of a server with what it says of the
# same server behind the edge. The suite needs Node.js 22: where that is not installed, npm fetches it too.
set -eu
cd "$(dirname "$0")/../.."
place=$PWD/var/conformance
suite=@modelcontextprotocol/conformance@0.2.0-alpha.12
if ! command -v npm >/dev/null; then
    echo "error: needs npm" >&2
    exit 1
fi
if [ ! -e "$place/installed" ]; then
    mkdir -p "$place"
    node=$(node --version | sed 's/^v//; s/\..*//')
    cd "$place"
    [ -e package.json ] || echo '{"private": true}' >package.json
    if [ "$node" -ge 22 ]; then
        npm install --silent --no-audit --no-fund "$suite"
    else
        npm install --silent --no-audit --no-fund "$suite" node@22
    fi
    touch installed
    cd - >/dev/null
fi
PATH=$place/node_modules/.bin:$PATH
export PATH
SBC_CONFORMANCE=$place exec .venv/bin/python -m pytest tests/thirdparty/test_mcp_conformance.py "$@"
