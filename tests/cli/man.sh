#!/bin/sh
# docs/heed.1 is what the command makes of its tables:
#     build/heed help --man >docs/heed.1
"$HEED" help --man | diff -u docs/heed.1 - && echo "docs/heed.1 is up to date"
