"""Chaos: acknowledged runs against a nemesis, and what must hold afterwards."""
