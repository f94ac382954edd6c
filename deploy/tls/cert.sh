#!/bin/sh
# Makes a certificate for localhost and nginx that nobody else trusts: deploy/tls/certs/chat.pem and chat.key. One that is there stays.
set -eu
cd "$(dirname "$0")"
mkdir -p certs
[ -e certs/chat.pem ] && { echo "certs/chat.pem is there already" >&2; exit 1; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=chat \
    -addext "subjectAltName=DNS:localhost,DNS:nginx,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE" \
    -keyout certs/chat.key -out certs/chat.pem 2> /dev/null
# nginx in the container is not the user who made it.
chmod 644 certs/chat.key
echo "made certs/chat.pem"
