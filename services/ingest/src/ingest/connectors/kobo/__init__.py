"""KoboToolbox: the submissions of one form, its repeats as tables of their own."""
