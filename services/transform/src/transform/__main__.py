"""`python -m transform`: transform as a process."""

from chassis.service import main
from chassis.settings import load
from transform.app import build
from transform.settings import Settings

if __name__ == "__main__":
    main("transform", load(Settings), build)
