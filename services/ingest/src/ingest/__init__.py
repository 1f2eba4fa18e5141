"""Ingestion: files and remote sources into versions, through dlt."""
