"""Fetches onnxruntime-web by npm and writes what the page needs of it: the same bytes each time.

    python scripts/vendor_onnxruntime_web.py

Two files of the package, MIT: the module as it is but for its last line, which names a source map
that is not shipped and that browsers' tools would ask for; and the WebAssembly, gzip-compressed, as
the service sends it. Prints what NOTICE has to say of them.
"""

import base64
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.30.0"
INTEGRITY = (  # As npm gives it: SHA-512 of the archive.
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
MODULE = "ort.wasm.bundle.min.mjs"
WASM = "ort-wasm-simd-threaded.wasm"
VENDOR = Path(__file__).parents[1] / "src" / "vivant" / "serving" / "page" / "vendor"


def fetch(folder: Path) -> dict[str, bytes]:
    """The package's two files, by name."""
    package = f"onnxruntime-web@{VERSION}"
    command = ["npm", "pack", "--silent", package]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        sys.exit(f"{package}: expected an archive of SHA-512 {INTEGRITY}, got {found}")
    with tarfile.open(archive) as opened:
        files = {name: opened.extractfile(f"package/dist/{name}") for name in (MODULE, WASM)}
        return {name: file.read() for name, file in files.items() if file is not None}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = fetch(Path(folder))
    module, comment, _ = files[MODULE].partition(b"//# sourceMappingURL=")
    if not comment:
        sys.exit(f"{MODULE} names no source map: look at what changed")
    VENDOR.mkdir(exist_ok=True)
    packed = gzip.compress(files[WASM], 9, mtime=0)
    packed = packed[:9] + b"\xff" + packed[10:]  # No system: Python's versions differ in theirs.
    written = {MODULE: module, f"{WASM}.gz": packed}
    for name, content in written.items():
        (VENDOR / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    print(f"{WASM}, unpacked: {len(files[WASM]):,} bytes, SHA-256", end=" ")
    print(hashlib.sha256(files[WASM]).hexdigest())


if __name__ == "__main__":
    main()
