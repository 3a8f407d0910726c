#!/bin/sh
# Lets forge, which wants a solc binary, use solc-js from node_modules: no download.
exec node "$(dirname "$0")/solc.mjs" "$@"
