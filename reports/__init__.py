"""The result of a run, and one renderer for each format it is shown in."""
