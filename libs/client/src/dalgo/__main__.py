"""`python -m dalgo`: the `dalgo` command."""

from dalgo.cli.app import main

main()
