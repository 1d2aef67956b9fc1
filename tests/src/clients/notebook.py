"""Runs a notebook, and prints what its cells show."""

import sys

import nbclient
import nbformat

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        shown = output.get("data", {}).get("text/html") or output.get("data", {}).get("text/plain") or output.get("text")
        print(shown)
