#!/bin/sh
# Passes if sort puts lines in order: exit status 0 is PASS, any other is FAIL.
set -eu
got=$(printf 'pear\napple\nfig\n' | LC_ALL=C sort | tr '\n' ' ')
echo "sorted: $got"
[ "$got" = "apple fig pear " ]
