"""The secrets of sources: kept encrypted beside the config, opened for whoever reads the source."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from pydantic import SecretStr

from chassis.crypto import Vault
from chassis.telemetry import log
from contracts.ingest import SourceConfig
from contracts.problem import problem

C = TypeVar("C", bound=SourceConfig)

CONCEALED = SecretStr(str(SecretStr("x")))
"""What stands in an answer where a secret is kept; said back, it means: as it is."""


class Sealing:
    """Takes the secrets out of configs and puts them back.

    Each is bound to its organisation, source and field: moved elsewhere, it cannot be opened.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(
        self, org_id: UUID, source_id: UUID, config: C, kept: Mapping[str, str]
    ) -> tuple[C, dict[str, str]]:
        """The config as it may be shown, and its secrets encrypted, by field.

        What the config does not say stays as it was `kept`.
        """
        sealed = dict(kept)
        for field, secret in _given(config).items():
            context = _context(org_id, source_id, field)
            sealed[field] = self._vault.encrypt(secret.get_secret_value().encode(), context)
        sealed = {
            field: text for field, text in sealed.items() if field in type(config).model_fields
        }
        return config.model_copy(update=dict.fromkeys(sealed, CONCEALED)), sealed

    def opened(self, org_id: UUID, source_id: UUID, config: C, sealed: Mapping[str, str]) -> C:
        """The config with its secrets; those that it says itself win.

        Raises a 422 problem `secret_lost` when the key they were encrypted with is gone.
        """
        given = _given(config)
        found: dict[str, SecretStr | None] = {}
        for field in _concealed(config):
            found[field] = None
        for field, text in sealed.items():
            if field in given or field not in type(config).model_fields:
                continue
            try:
                secret = self._vault.decrypt(text, _context(org_id, source_id, field))
            except ValueError as error:
                log.warning("secret_lost", source_id=str(source_id), error=str(error))
                raise problem(
                    422,
                    "secret_lost",
                    f"The source's {field.replace('_', ' ')} cannot be decrypted any more. Save "
                    "it again.",
                ) from error
            found[field] = SecretStr(secret.decode())
        return config.model_copy(update=found)


def _given(config: SourceConfig) -> dict[str, SecretStr]:
    """The secrets that a config says."""
    return {
        field: value
        for field in type(config).model_fields
        if isinstance(value := getattr(config, field), SecretStr) and value != CONCEALED
    }


def _concealed(config: SourceConfig) -> list[str]:
    return [field for field in type(config).model_fields if getattr(config, field) == CONCEALED]


def _context(org_id: UUID, source_id: UUID, field: str) -> str:
    return f"{org_id.hex}/{source_id.hex}/{field}"
