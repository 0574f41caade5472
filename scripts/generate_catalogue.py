#!/usr/bin/env python3
"""Write the field catalogue from the published Kubernetes Python clients.

    scripts/generate_catalogue.py 1.38     add one minor to the catalogue
    scripts/generate_catalogue.py --all    read every release again, from 1.19 on

Each minor's newest release is downloaded with pip and read as a zip file; nothing of it is
imported. Commit the changed corpora/fields/data/catalogue.json, then give the new fields gates
(corpora/fields/data/gates.yaml) and probes (corpora/probes/data/); the tests say which are missing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError, WebhookFuzzError
from webhook_fuzz.corpora.fields.client_models import ClientModels
from webhook_fuzz.corpora.fields.generating import (
    FIRST_MINOR,
    CatalogueDocument,
    add_minor,
    empty_document,
)
from webhook_fuzz.corpora.versions import Minor, parse_minor

CATALOGUE = Path(__file__).resolve().parents[1] / "corpora" / "fields" / "data" / "catalogue.json"


def main() -> int:
    """Run the command line above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("minor", nargs="*", help="minors to add, oldest first, such as 1.38")
    parser.add_argument("--all", action="store_true", help="start again from 1.19")
    arguments = parser.parse_args()
    document = empty_document() if arguments.all else load_document()
    wanted = [parse_minor(text) for text in arguments.minor]
    if arguments.all:
        newest = max(parse_minor(text) for text in load_document()["sources"])
        wanted = [FIRST_MINOR.shifted(by) for by in range(newest.minor - FIRST_MINOR.minor + 1)]
    if not wanted:
        parser.error("name a minor, or --all")
    try:
        for minor in wanted:
            document = with_minor(document, minor)
    except (WebhookFuzzError, ValueError) as error:
        print(f"generate_catalogue: {error}", file=sys.stderr)
        return 2
    save_document(document)
    return 0


def with_minor(document: CatalogueDocument, minor: Minor) -> CatalogueDocument:
    """The catalogue with the newest client release of `minor` folded in."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = download_client(minor, Path(folder))
        models = ClientModels(wheel)
        document = add_minor(document, minor, wheel.name, list(models.pod_fields()))
        models.close()
    new = sum(entry["since"] == str(minor) for entry in document["fields"])
    print(f"{minor}: {new} new field paths ({wheel.name})", flush=True)
    return document


def download_client(minor: Minor, folder: Path) -> Path:
    """The newest `kubernetes` wheel of a minor: release N.x of the client is Kubernetes 1.N."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), f"kubernetes=={minor.minor}.*"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wheels = list(folder.glob("kubernetes-*.whl"))
    if done.returncode != 0 or not wheels:
        raise InputError(
            f"pip could not download kubernetes=={minor.minor}.*: {done.stderr.strip()[-300:]}",
            hint="Is the release published, and the package index reachable?",
        )
    return wheels[0]


def load_document() -> CatalogueDocument:
    """The committed catalogue."""
    document: CatalogueDocument = json.loads(CATALOGUE.read_text("utf-8"))
    return document


def save_document(document: CatalogueDocument) -> None:
    """One field a line, so that a diff shows what a minor brought; whole or not at all."""
    parts = {
        "sources": json.dumps(document["sources"], indent=2).replace("\n", "\n "),
        "fields": _one_a_line(document["fields"]),
        "changed": _one_a_line(document["changed"]),
    }
    text = "{\n" + ",\n".join(f' "{name}": {part}' for name, part in parts.items()) + "\n}\n"
    json.loads(text)
    partial = CATALOGUE.with_suffix(".partial")
    partial.write_text(text, "utf-8")
    partial.replace(CATALOGUE)


def _one_a_line(entries: Sequence[Mapping[str, object]]) -> str:
    return "[\n  " + ",\n  ".join(json.dumps(entry) for entry in entries) + "\n ]"


if __name__ == "__main__":
    sys.exit(main())
