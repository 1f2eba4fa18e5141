"""The gateway's resources, a module each."""
