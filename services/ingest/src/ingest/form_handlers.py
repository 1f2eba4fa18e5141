"""What ingest answers about forms that are no sources yet."""

from contracts.envelope import Meta
from contracts.ingest import Forms, KoboConfig, ListForms
from ingest.domain import organization_of
from ingest.readers import in_words
from ingest.readers.kobo import KoboReader
from ingest.store import Store


class FormHandlers:
    """Requests about KoboToolbox alone."""

    def __init__(self, store: Store, reader: KoboReader) -> None:
        self._store = store
        self._reader = reader

    async def list_forms(self, request: ListForms, meta: Meta) -> Forms:
        """ListForms."""
        token = request.api_token
        if request.source_id is not None:
            kept = await self._store.kept(organization_of(meta), request.source_id)
            asked = KoboConfig(server_url=request.server_url, form_id="any", api_token=token)
            opened = kept.opened(asked)
            assert isinstance(opened, KoboConfig)
            token = opened.api_token
        with in_words():
            return Forms(forms=await self._reader.forms(request.server_url, token))
