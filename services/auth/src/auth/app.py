"""The composition root of auth: what answers what, shared by the process and the tests."""

from auth.handlers import Handlers
from auth.keys import UnreadableKeyError, new_key, open_key
from auth.passwords import Passwords
from auth.sessions import Sessions
from auth.settings import Settings
from auth.store import Store
from auth.throttling import Throttling
from auth.tokens import Tokens
from chassis.crypto import Vault
from chassis.rates import Rates
from chassis.service import Service
from chassis.telemetry import log
from contracts.auth import (
    GetMe,
    GetOrganization,
    GetSigningKeys,
    LogIn,
    LogOut,
    RefreshSession,
    SignUp,
)
from contracts.streams import LOGIN_RATES


async def build(service: Service[Settings]) -> None:
    """Register the answers; makes the first signing key when there is none.

    Ends the process, saying how to go on, when the signing key cannot be decrypted.
    """
    settings = service.settings
    vault = Vault(settings.encryption_key.get_secret_value())
    store = Store(service.database, service.outbox)
    tokens = Tokens(settings, vault)
    if not tokens.uses_shared_secret:
        await _ensure_signing_key(settings, store, vault)
    handlers = Handlers(
        settings,
        store,
        Sessions(service.database),
        Passwords(settings.password_hashing_threads, service.shares),
        tokens,
        vault,
        Throttling(settings, Rates(service.bus, LOGIN_RATES)),
    )
    answer = service.answers.answer
    answer(SignUp, handlers.sign_up)
    answer(LogIn, handlers.log_in)
    answer(RefreshSession, handlers.refresh_session)
    answer(LogOut, handlers.log_out)
    answer(GetMe, handlers.get_me)
    answer(GetOrganization, handlers.get_organization)
    answer(GetSigningKeys, handlers.get_signing_keys)


async def _ensure_signing_key(settings: Settings, store: Store, vault: Vault) -> None:
    given = settings.jwt_private_key
    pem = given.get_secret_value() if given else None
    kid, sealed, is_new = await store.ensure_signing_key(lambda: new_key(vault, pem))
    if is_new:
        log.info("signing_key_created", kid=kid, seeded=pem is not None)
    try:
        open_key(vault, kid, sealed)
    except UnreadableKeyError as error:
        raise SystemExit(str(error)) from error
