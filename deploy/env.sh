#!/bin/sh
# Writes the secrets that docker-compose.yml asks for, new ones, to `.env` or to the file that is named. One that is there stays.
set -eu
file=${1:-.env}
if [ -e "$file" ]; then
    echo "$file is there already: remove it first, or keep it" >&2
    exit 1
fi
# 192 bits, as letters and digits: two of them stand in URLs.
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
set -C
cat > "$file" <<END
REDIS_PASSWORD=$(secret)
CHAT_PASSWORD=$(secret)
CHAT_JWT_SECRET=$(secret)
GRAFANA_PASSWORD=$(secret)
END
echo "wrote $file"
