"""`python -m orchestrator`: the orchestrator as a process."""

from chassis.service import main
from chassis.settings import load
from orchestrator.app import build
from orchestrator.settings import Settings

if __name__ == "__main__":
    main("orchestrator", load(Settings), build)
