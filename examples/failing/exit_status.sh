#!/bin/sh
# Fails: any exit status other than 0 does.
echo "the answer is 41, and should be 42" >&2
exit 1
