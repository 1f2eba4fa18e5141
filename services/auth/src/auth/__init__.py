"""Identities: users, organisations, sessions, keys."""
