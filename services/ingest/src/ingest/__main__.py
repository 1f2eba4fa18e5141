"""`python -m ingest`: ingest as a process."""

from chassis.service import main
from chassis.settings import load
from ingest.app import build
from ingest.settings import Settings

if __name__ == "__main__":
    main("ingest", load(Settings), build)
