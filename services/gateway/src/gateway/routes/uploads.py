"""Files on their way in."""

from fastapi import APIRouter, Request

from contracts.ingest import RegisterUpload, Upload
from gateway.conventions import IdempotencyKey
from gateway.edge import EdgeDep, Editor
from gateway.uploads import stored

PATH = "/uploads"
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    },
}

router = APIRouter(tags=["sources"])


@router.post(PATH, status_code=201, openapi_extra={"requestBody": _FORM})
async def upload(
    request: Request, edge: EdgeDep, caller: Editor, idempotency_key: IdempotencyKey = None
) -> Upload:
    """Store a file, streamed from the form's only part `file`, for a source to be made of."""
    limit = edge.settings.upload_max_bytes
    async with stored(edge.objects, request, caller.org_id, limit, idempotency_key) as file:
        return await edge.ask(
            caller,
            RegisterUpload(
                upload_id=file.upload_id,
                filename=file.filename,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
            ),
        )
