"""What ingest answers about spreadsheets that are no sources yet."""

from contracts.envelope import Meta
from contracts.ingest import GoogleSheetsConfig, ListSheets, SheetList
from ingest.domain import organization_of
from ingest.readers import in_words
from ingest.readers.sheets import SheetReader
from ingest.store import Store


class SheetHandlers:
    """Requests about Google Sheets alone."""

    def __init__(self, store: Store, reader: SheetReader) -> None:
        self._store = store
        self._reader = reader

    async def list_sheets(self, request: ListSheets, meta: Meta) -> SheetList:
        """ListSheets."""
        org_id, key = organization_of(meta), request.credentials
        if request.source_id is not None:
            kept = await self._store.kept(org_id, request.source_id)
            asked = GoogleSheetsConfig(spreadsheet=request.spreadsheet, credentials=key)
            opened = kept.opened(asked)
            assert isinstance(opened, GoogleSheetsConfig)
            key = opened.credentials
        with in_words():
            return await self._reader.sheets(org_id, request.spreadsheet, key)
