"""Organisations beside each other at one transform."""

from ..transform.conftest import Stand, column_factory, other, preview_timeout, stand, transform

__all__ = ["Stand", "column_factory", "other", "preview_timeout", "stand", "transform"]
