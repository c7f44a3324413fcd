#!/bin/sh
# What the listing commands print. Rows are picked by name and cut to the names,
# so that adding one changes no test.
"$HEED" --version
"$HEED" help | sed -n '1,5p'
for c in $("$HEED" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    "$HEED" help "$c" >/dev/null && "$HEED" "$c" --help >/dev/null ||
        echo "no help: $c"
    "$HEED" help "$c" | awk 'length > 80 { print "too wide: " $0 }'
done
"$HEED" methods | cut -f 1 | grep -x 'attn_lrp'
"$HEED" methods AttnLRP | grep -o '^attn_lrp'
"$HEED" methods attn-lrp --json | grep '"name"'
"$HEED" models | cut -f 1,2 | grep '^llama	'
"$HEED" models --json | grep -c '"models"'
"$HEED" formats | cut -f 1 | grep -x 'json'
"$HEED" formats --json | grep -c '"formats"\|"figures"'
# A row without a summary would be a hole in the tables.
"$HEED" methods | awk -F '\t' '$2 == "" { print "no summary: " $1 }'
"$HEED" models | awk -F '\t' '$3 == "" { print "no summary: " $1 }'
"$HEED" formats | awk -F '\t' '$3 == "" { print "no summary: " $1 }'
