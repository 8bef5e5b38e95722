#!/bin/sh
# chromium.sh URL [USER PASSWORD] - another name for chromium.py, which see.
exec "$(dirname "$0")/chromium.py" "$@"
