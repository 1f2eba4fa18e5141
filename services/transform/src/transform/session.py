"""What a session holds while a recipe's statement runs: the time zone, the key of its masks."""

from uuid import UUID

from pydantic import SecretStr

from chassis.database import Connection
from recipe.mask_key import SETTING
from warehouse.mask_key import mask_key


class Sessions:
    """Prepares transactions for the statements of recipes."""

    def __init__(self, secret: SecretStr) -> None:
        """`secret` is the installation's; every organisation's own key is made of it."""
        self._secret = secret

    async def prepare(self, connection: Connection, org_id: UUID, timezone: str) -> None:
        """Set what the statements of an organisation depend on, for this transaction."""
        await connection.execute(
            "SELECT set_config('timezone', $1, true), set_config($2, $3, true)",
            timezone,
            SETTING,
            mask_key(self._secret, org_id).get_secret_value(),
        )
