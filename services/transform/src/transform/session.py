"""What a session holds while a recipe's statement runs: the time zone, the key of its masks."""

import hashlib
import hmac
from uuid import UUID

from pydantic import SecretStr

from chassis.database import Connection
from recipe.mask_key import SETTING, setting_value


class Sessions:
    """Prepares transactions for the statements of recipes."""

    def __init__(self, mask_key: SecretStr) -> None:
        """`mask_key` is the installation's; every organisation's own is made of it."""
        self._mask_key = mask_key

    async def prepare(self, connection: Connection, org_id: UUID, timezone: str) -> None:
        """Set what the statements of an organisation depend on, for this transaction."""
        await connection.execute(
            "SELECT set_config('timezone', $1, true), set_config($2, $3, true)",
            timezone,
            SETTING,
            self.key_of(org_id),
        )

    def key_of(self, org_id: UUID) -> str:
        """The key that an organisation's masks hash with, as the session holds it."""
        secret = self._mask_key.get_secret_value().encode()
        return setting_value(hmac.digest(secret, org_id.bytes, hashlib.sha256))
