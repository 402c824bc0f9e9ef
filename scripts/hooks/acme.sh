#!/bin/sh
# For acme.sh: acme.sh --install-cert -d mx1.example.com --reloadcmd '/usr/local/lib/tlsa-rotate/acme.sh mail'
# acme.sh sets CERT_FULLCHAIN_PATH and CERT_KEY_PATH, and keeps the key unless --always-force-new-domain-key is given.
set -eu
exec "$(dirname "$0")/renewed" "$1" "$CERT_FULLCHAIN_PATH" "$CERT_KEY_PATH"
