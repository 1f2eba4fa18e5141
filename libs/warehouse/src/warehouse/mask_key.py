"""The key of an organisation's masks: the same wherever a column is masked."""

import hashlib
import hmac
from uuid import UUID

from pydantic import SecretStr

from recipe.mask_key import setting_value


def mask_key(secret: SecretStr, org_id: UUID) -> SecretStr:
    """HMAC of the organisation under the installation's key, as PostgreSQL's session holds it."""
    key = hmac.digest(secret.get_secret_value().encode(), org_id.bytes, hashlib.sha256)
    return SecretStr(setting_value(key))
