"""The steps, one per file; `recipe.step.discover` finds them."""
