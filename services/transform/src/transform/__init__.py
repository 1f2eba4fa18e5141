"""Recipes compiled, previewed, built and published."""
