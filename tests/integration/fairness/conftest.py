"""Organisations beside each other at one transform."""

from ..transform.conftest import Stand, column_factory, other, stand, transform

__all__ = ["Stand", "column_factory", "other", "stand", "transform"]
