#!/usr/bin/env python3
"""Reads the six novels of Jane Austen and writes them in 40 parts each, split in train/, validation/ and held-out/.

    apt-get download r-cran-janeaustenr && dpkg -x r-cran-janeaustenr_*.deb janeaustenr
    python3 prepare.py janeaustenr data

The first argument is the unpacked Debian package (or any folder that holds its Rdata.rdb), or a folder of NOVEL.txt or
NOVEL.txt.gz, NOVEL being one of the names in NOVELS. R is not needed.

A novel starts at its first chapter and ends before FINIS: title pages, the preface of Northanger Abbey, a publisher's note
and chapter headings are left out. What only tells one typist from another goes too: the marks _ _ of italics and the second
space after a full stop. Lines stay as they are in the source. The 40 parts are of equal length and end at a line's end.
Of parts 0 to 39, those with number % 10 = 9 (the 10th, 20th, 30th and 40th) are held out and number % 10 = 4 is for validation.
"""
import gzip
import pathlib
import re
import sys
import zlib

NOVELS = {  # file name: title as the source writes it in its first line
    "emma": "EMMA",
    "mansfield-park": "MANSFIELD PARK",
    "northanger-abbey": "NORTHANGER ABBEY",
    "persuasion": "PERSUASION",
    "pride-prejudice": "PRIDE AND PREJUDICE",
    "sense-sensibility": "SENSE AND SENSIBILITY",
}
PARTS, HELD_OUT, VALIDATION = 40, 9, 4
HEADING = re.compile(r"\s*(chapter|volume)\s+([ivxlc]+|\d+)\.?\s*$", re.I)
END = re.compile(r"\s*(finis|the end|a note on the text)\.?\s*$", re.I)


def character_vector(data):
    """The strings of an R character vector, from its serialised form (XDR, version 2 or 3)."""
    at = 0

    def integer():
        nonlocal at
        at += 4
        return int.from_bytes(data[at - 4:at], "big", signed=True)

    if data[:2] != b"X\n":
        raise ValueError("not R's XDR format")
    at = 2
    version = integer()
    integer(), integer()
    if version == 3:
        length = integer()
        at += length  # name of the encoding
    if integer() & 0xFF != 16:
        raise ValueError("not a character vector")
    strings = []
    for _ in range(integer()):
        integer()
        length = integer()
        strings.append(data[at:at + max(length, 0)].decode("utf-8"))
        at += max(length, 0)
    return strings


def novels_of_rdb(path):
    """R's lazy-load database: after each other, four bytes of length and a zlib stream."""
    data, found = path.read_bytes(), {}
    while data:
        stream = zlib.decompressobj()
        lines = character_vector(stream.decompress(data[4:]))
        data = stream.unused_data
        title = next(line.strip().upper() for line in lines if line.strip())
        for name, wanted in NOVELS.items():
            if title == wanted:
                found[name] = lines
    return found


def read(source):
    rdb = next(iter(sorted(source.rglob("Rdata.rdb"))), None)
    if rdb:
        return novels_of_rdb(rdb)
    found = {}
    for name in NOVELS:
        for path in (source / f"{name}.txt", source / f"{name}.txt.gz"):
            if path.exists():
                raw = path.read_bytes()
                text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
                found[name] = text.split("\n")
    return found


def clean(lines):
    """Chapters only, without headings; paragraphs are parted by one empty line."""
    start = next(i for i, line in enumerate(lines) if re.match(r"\s*chapter\s+(i|1)\.?\s*$", line, re.I))
    end = next((i for i in range(start, len(lines)) if END.match(lines[i])), len(lines))
    kept = ["" if HEADING.match(line) else re.sub(r"\s+", " ", line.replace("_", "")).strip() for line in lines[start:end]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n") + "\n"


def parts(text):
    cuts = [0] + [text.rindex("\n", 0, len(text) * k // PARTS) + 1 for k in range(1, PARTS)] + [len(text)]
    return [text[a:b].strip("\n") + "\n" for a, b in zip(cuts, cuts[1:])]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: prepare.py SOURCE DATA")
    source, data = map(pathlib.Path, sys.argv[1:])
    found = read(source)
    missing = [name for name in NOVELS if name not in found]
    if missing:
        sys.exit(f"prepare.py: not found in {source}: {', '.join(missing)}")
    for name in NOVELS:
        text = clean(found[name])
        for number, part in enumerate(parts(text)):
            kind = {HELD_OUT: "held-out", VALIDATION: "validation"}.get(number % 10, "train")
            (data / kind).mkdir(parents=True, exist_ok=True)
            (data / kind / f"{name}-{number:02d}.txt").write_text(part, encoding="utf-8")
        print(f"{name}: {len(text)} characters, {len(text.split())} words")


if __name__ == "__main__":
    main()
