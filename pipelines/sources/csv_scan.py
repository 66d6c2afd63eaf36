"""One pass over a text file in bounded memory: hash, UTF-8, header, and the places where it may be cut.

A cut stands behind a line feed with an even number of quotes before it: there no quoted cell is open.
"""

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from cluster.storage import Storage

CHUNK_BYTES = 8_000_000


@dataclass
class Scan:
    """The findings of a pass.

    Attributes:
        text_uri: Where the uncompressed text stands.
        sha256: Of the delivered bytes.
        size_bytes: Delivered bytes.
        text_bytes: Bytes of the text.
        header: First line, with its end.
        cuts: (byte, line) where a part begins; the first follows the header.
        refusal: what, where, why, remedy; empty when the file can be read.
    """

    text_uri: str
    sha256: str = ""
    size_bytes: int = 0
    text_bytes: int = 0
    header: bytes = b""
    cuts: list[tuple[int, int]] = field(default_factory=list)
    refusal: dict[str, str] = field(default_factory=dict)


def scan_text(storage: Storage, uri: str, scratch: str, part_bytes: int) -> Scan:
    """Scan a file.

    Args:
        storage: Opens the file.
        uri: A `.csv`, or a gzipped one.
        scratch: Folder for the text of a gzipped file.
        part_bytes: Bytes of a part, roughly.

    Returns:
        What was found.
    """
    zipped = uri.lower().endswith(".gz")
    filesystem, path = storage.open(uri)
    digest = hashlib.sha256()
    with filesystem.open_input_stream(path, compression=None) as delivered:
        source = _Hashed(delivered, digest)
        try:
            if zipped:
                scan = _scan_zipped(storage, source, uri, scratch, part_bytes)
            else:
                scan = _Scanner(Scan(uri), part_bytes).run(_chunks(source))
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            scan = Scan(uri)
            scan.refusal = _refusal(uri, "The file is not a whole gzip file", str(error), "Deliver it again.")
        source.drain()
    scan.sha256, scan.size_bytes = digest.hexdigest(), source.size
    return scan


def _scan_zipped(storage: Storage, source: "_Hashed", uri: str, scratch: str, part_bytes: int) -> Scan:
    """Scan a gzipped file, leaving its text in scratch so that it can be cut like any other."""
    text_uri = f"{scratch}/text/{hashlib.sha256(uri.encode()).hexdigest()[:16]}.csv"
    storage.write_bytes(text_uri, b"")
    filesystem, path = storage.open(text_uri)
    with (
        gzip.GzipFile(fileobj=io.BufferedReader(source, CHUNK_BYTES)) as text,
        filesystem.open_output_stream(path) as out,
    ):
        return _Scanner(Scan(text_uri), part_bytes).run(_copied(_chunks(text), out))


class _Hashed(io.RawIOBase):
    """Hashes and counts what is read from a stream."""

    def __init__(self, stream: IO[bytes], digest: Any) -> None:
        self._stream = stream
        self._digest = digest
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def drain(self) -> None:
        """Read to the end, so that the hash is of the whole file even when the scan stopped early."""
        while self.read(CHUNK_BYTES):
            pass


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _copied(chunks: Iterator[bytes], out: Any) -> Iterator[bytes]:
    for chunk in chunks:
        out.write(chunk)
        yield chunk


class _Scanner:
    """The state of a pass: bytes, lines and quotes so far, and the next place where a cut is wanted."""

    def __init__(self, scan: Scan, part_bytes: int) -> None:
        self.scan = scan
        self.part_bytes = part_bytes
        self.line = 1
        self.open_quote = False
        self.next_cut: int | None = None
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.blank = True

    def run(self, chunks: Iterator[bytes]) -> Scan:
        scan = self.scan
        for chunk in chunks:
            try:
                text = self.decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return self._refuse_encoding(chunk, error)
            self.blank = self.blank and not text.strip("\ufeff \t\r\n")
            at = self._take_header(chunk) if self.next_cut is None else 0
            self._take_chunk(chunk, at)
            scan.text_bytes += len(chunk)
        if self.decoder.getstate()[0]:
            return self._refuse_encoding(b"", None)
        if self.blank:
            scan.refusal = _refusal(scan.text_uri, "The file is empty", "it has no header line", "Deliver it again.")
        if not scan.cuts:
            scan.cuts.append((scan.text_bytes, 2))
        return scan

    def _take_header(self, chunk: bytes) -> int:
        """Collect the first line; give the place in the chunk behind it."""
        end = chunk.find(b"\n")
        if end < 0:
            self.scan.header += chunk
            return len(chunk)
        self.scan.header += chunk[: end + 1]
        begin = self.scan.text_bytes + end + 1
        self.scan.cuts.append((begin, 2))
        self.line, self.next_cut = 2, begin + self.part_bytes
        return end + 1

    def _take_chunk(self, chunk: bytes, at: int) -> None:
        """Find the cuts of a chunk from `at` on, counting lines and quotes."""
        while self.next_cut is not None and self.next_cut < self.scan.text_bytes + len(chunk):
            cut = self._cut_after(chunk, at, max(self.next_cut - self.scan.text_bytes, at))
            if cut is None:
                return
            self.scan.cuts.append((self.scan.text_bytes + cut, self.line))
            self.next_cut = self.scan.text_bytes + cut + self.part_bytes
            at = cut
        self._count(chunk, at, len(chunk))

    def _cut_after(self, chunk: bytes, at: int, wanted: int) -> int | None:
        """Find the first place at or behind `wanted` where a line begins outside quotes, counting up to it."""
        self._count(chunk, at, wanted)
        while True:
            if self.open_quote:
                quote = chunk.find(b'"', wanted)
                stop = len(chunk) if quote < 0 else quote + 1
                self._count(chunk, wanted, stop)
                if quote < 0:
                    return None
                wanted = stop
                continue
            newline = chunk.find(b"\n", wanted)
            stop = len(chunk) if newline < 0 else newline + 1
            self._count(chunk, wanted, stop)
            if newline < 0:
                return None
            wanted = stop
            if not self.open_quote:
                return wanted

    def _count(self, chunk: bytes, start: int, stop: int) -> None:
        self.line += chunk.count(b"\n", start, stop)
        self.open_quote ^= chunk.count(b'"', start, stop) % 2 == 1

    def _refuse_encoding(self, chunk: bytes, error: UnicodeDecodeError | None) -> Scan:
        line = self.line + (chunk.count(b"\n", 0, error.start) if error else 0)
        utf16 = self.scan.text_bytes == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "UTF-16" if utf16 else "ISO-8859-1"
        why = "it is UTF-16" if utf16 else f"line {line} holds bytes that are not UTF-8"
        self.scan.refusal = _refusal(
            self.scan.text_uri,
            "The file is not UTF-8",
            why,
            f"Convert it, for instance: iconv -f {encoding} -t UTF-8 OLD.csv > NEW.csv",
        )
        return self.scan


def _refusal(uri: str, what: str, why: str, remedy: str) -> dict[str, str]:
    return {"what": what, "where": uri, "why": why, "remedy": remedy}
