"""Unpacks of a wheel what is kept. Arguments: the wheel, the folder, patterns (`*` stands for anything, slashes too)."""

import fnmatch
import os
import sys
import zipfile

wheel, folder, *patterns = sys.argv[1:]
unused = set(patterns)
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        matching = [pattern for pattern in patterns if fnmatch.fnmatchcase(entry.filename, pattern)]
        if matching and not entry.is_dir():
            unused.difference_update(matching)
            archive.extract(entry, folder)
if unused:
    sys.exit("nothing in the wheel is named " + ", ".join(sorted(unused)))
# The folder is renamed to its place when it is whole: its bytes must be on the disk before that.
os.sync()
