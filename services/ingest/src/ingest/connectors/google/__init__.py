"""Google Sheets over its REST API, from signing in to a table of text."""
