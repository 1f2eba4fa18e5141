"""What a session holds while a recipe's statement runs: time zone, key of its masks, limits."""

from uuid import UUID

from pydantic import SecretStr

from chassis.database import Connection
from contracts.shares import TEMP_BYTES
from recipe.mask_key import SETTING
from warehouse.mask_key import mask_key

# Where a login may not limit its temporary files, the rest holds all the same.
_PREPARE = """
SELECT pg_backend_pid(), set_config('timezone', $1, true), set_config($2, $3, true),
       CASE WHEN has_parameter_privilege('temp_file_limit', 'SET')
            THEN set_config('temp_file_limit', $4, true) END"""
_PREPARE_WITHIN = f"{_PREPARE}, set_config('statement_timeout', $5, true)"


class Sessions:
    """Prepares transactions for the statements of recipes."""

    def __init__(self, secret: SecretStr, *, temp_bytes: int = TEMP_BYTES.each) -> None:
        """`secret` is the installation's; every organisation's own key is made of it.

        `temp_bytes` of temporary files is what each process that works on a statement may write.
        """
        self._secret = secret
        self._temp = f"{temp_bytes // 1024}kB"

    async def prepare(
        self, connection: Connection, org_id: UUID, timezone: str, *, timeout: float | None = None
    ) -> int:
        """Set what the statements of an organisation depend on, for this transaction.

        `timeout`: seconds for each statement; None: as it is. Gives the session's process id, as the
        server knows it and a pooler may not.
        """
        key = mask_key(self._secret, org_id).get_secret_value()
        given = [timezone, SETTING, key, self._temp]
        if timeout is None:
            pid = await connection.fetchval(_PREPARE, *given)
        else:
            milliseconds = str(max(1, int(timeout * 1000)))
            pid = await connection.fetchval(_PREPARE_WITHIN, *given, milliseconds)
        assert pid is not None
        return pid
