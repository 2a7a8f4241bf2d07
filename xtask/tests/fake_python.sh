#!/bin/sh
# A python3 whose pip needs no network. The file `mode` beside it says how it behaves; `calls` lists what it was asked
# for. Everything but pip is done by the real python3.
here=$(dirname "$0")
mode=$(cat "$here/mode")
case "$1 $2 $3" in
"-m pip download") ;;
*)
    [ "$mode" = full_while_unpacking ] && { echo "OSError: [Errno 28] No space left on device" >&2; exit 1; }
    exec python3 "$@"
    ;;
esac
while [ $# -gt 0 ]; do
    case "$1" in
    --dest) dest=$2 ;;
    --requirement) requirement=$(cat "$2") ;;
    esac
    shift
done
name=${requirement%%==*}
echo "$name" >>"$here/calls"
case "$mode" in
no_pip) echo "/usr/bin/python3: No module named pip" >&2; exit 1 ;;
full) echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2; exit 1 ;;
other_hash) echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2; exit 1 ;;
no_network)
    echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/$name/" >&2
    echo "ERROR: No matching distribution found for $name" >&2
    exit 1
    ;;
esac
sleep 0.02
cp "$here/wheels/$name.whl" "$dest/$name-1-py3-none-any.whl"
