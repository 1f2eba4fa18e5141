"""The state machine that runs pipelines."""
