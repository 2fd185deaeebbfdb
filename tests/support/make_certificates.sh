#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a CA and certificates for tests, in the directory that is named:
#
#   ca.crt                       signs the next three
#   server.crt server.key        for localhost, 127.0.0.1 and ::1
#   client.crt client.key        common name "alice"
#   both.pem                     the client's certificate and key in one file
#   stranger.crt stranger.key    another common name "alice", signed by stranger-ca.crt
#
# They are good for two days; the keys are of P-256.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
umask 077
cd "$1"

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

# NAME COMMON-NAME: an authority of its own
authority() {
    key "$1"
    openssl req -x509 -new -key "$1.key" -sha256 -days 2 -subj "/CN=$2" -out "$1.crt" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}

# NAME COMMON-NAME AUTHORITY EXTENSION
certificate() {
    key "$1"
    openssl req -new -key "$1.key" -sha256 -subj "/CN=$2" -out "$1.csr"
    echo "$4" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$3.crt" -CAkey "$3.key" -CAcreateserial -sha256 -days 2 \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm "$1.csr" "$1.ext"
}

authority ca "canceld test CA"
authority stranger-ca "another CA"
certificate server localhost ca "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
certificate client alice ca "extendedKeyUsage=clientAuth"
certificate stranger alice stranger-ca "extendedKeyUsage=clientAuth"
cat client.crt client.key >both.pem
