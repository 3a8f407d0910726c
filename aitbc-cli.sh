#!/bin/sh
# The command line by the name of the specification:
#   ./aitbc-cli.sh submit "Your prompt" --model llama3.2
#   ./aitbc-cli.sh status JOB
#   ./aitbc-cli.sh receipts --job-id JOB
# It runs bin/aitbc beside it, else aitbc from the PATH.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ -x "$here/bin/aitbc" ]; then
  exec "$here/bin/aitbc" "$@"
fi
if command -v aitbc >/dev/null 2>&1; then
  exec aitbc "$@"
fi
echo "aitbc: bin/aitbc is not built" >&2
echo "aitbc: hint: run make build in $here" >&2
exit 1
