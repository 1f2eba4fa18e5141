"""What sheets of every kind share: cells as text, and which row is the header."""
