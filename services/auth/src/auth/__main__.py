"""The auth process: `python -m auth`."""

from auth.app import build
from auth.settings import Settings
from chassis.service import main
from chassis.settings import load

if __name__ == "__main__":
    main("auth", load(Settings), build)
