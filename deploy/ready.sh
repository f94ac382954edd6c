#!/bin/bash
# Whether the process in this container says that it is ready: `ready.sh PORT`.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 3 answer <&3
[[ $answer == "HTTP/1.1 200 "* ]]
