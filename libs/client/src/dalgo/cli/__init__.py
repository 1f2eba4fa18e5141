"""The `dalgo` command."""
