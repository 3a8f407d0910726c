#!/bin/sh
# The command line by the name of the specification:
#   ./aitbc-cli.sh submit "Your prompt" --model llama3.2
#   ./aitbc-cli.sh status JOB
#   ./aitbc-cli.sh receipts --job-id JOB
# It runs bin/aitbc beside it, else the coordinator container's of docker-compose.yml, with the network's client key,
# else aitbc from the PATH.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ -x "$here/bin/aitbc" ] && [ -z "$AITBC_CLI_CONTAINER" ]; then
  exec "$here/bin/aitbc" "$@"
fi
for compose in docker-compose "docker compose"; do
  # shellcheck disable=SC2086 # two words
  if command -v ${compose%% *} >/dev/null 2>&1 && [ -n "$(cd "$here" && $compose ps -q coordinator 2>/dev/null)" ]; then
    cd "$here" && exec $compose exec -T coordinator /bin/aitbc "$@"
  fi
done
if command -v aitbc >/dev/null 2>&1; then
  exec aitbc "$@"
fi
echo "aitbc: bin/aitbc is not built, and no coordinator container runs" >&2
echo "aitbc: hint: run make build in $here, or docker-compose up -d" >&2
exit 1
