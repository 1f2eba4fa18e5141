"""Formulas as in a spreadsheet: parsed to a closed tree, typed, compiled to Ibis."""
