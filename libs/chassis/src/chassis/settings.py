"""Settings of a service, from the environment, built once in `__main__` and passed down."""

import sys
from typing import Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis import names
from chassis.bus_login import BusLogin

EXAMPLES = {
    "NATS_URL": "nats://127.0.0.1:4222",
    "DATABASE_URL": "postgresql://dalgo_ingest:secret@127.0.0.1:5432/dalgo",
    "OBJECT_STORE_URL": "file:///var/lib/dalgo/objects",
    "GOOGLE_CREDENTIALS_JSON": '{"type": "service_account", "project_id": ...}',
    "ENCRYPTION_KEY": "the output of: openssl rand -base64 32",
}


class Limits(BaseModel):
    """What a client may cost an HTTP server that waits for it."""

    model_config = ConfigDict(frozen=True)

    connections: int = 800
    connections_per_address: int = 400
    head_timeout: float = 20.0
    body_timeout: float = 20.0
    body_rate: int = 1024

    @property
    def body_bytes(self) -> int:
        """What has to arrive in each `body_timeout`."""
        return max(1, int(self.body_rate * self.body_timeout))


class BusSettings(BaseSettings):
    """What a process on the bus needs to be told."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    nats_url: str
    """URL of one server of the bus, or of several of a cluster, comma-separated."""
    nats_user: str | None = None
    """The service's user on the bus."""
    nats_password: SecretStr | None = None
    """The password of `NATS_USER`."""
    nats_ca_file: FilePath | None = None
    """PEM file of the authority that signed the server's certificate; for one of a public authority
    `tls://` in NATS_URL is enough."""
    nats_creds_file: FilePath | None = None
    """Credentials of an NSC user (JWT and seed), instead of user and password."""
    nats_nkey_seed_file: FilePath | None = None
    """Seed of an nkey user, instead of user and password."""
    http_host: str = "127.0.0.1"
    """The address on which the process serves HTTP: `/healthz`, `/readyz`, of the gateway all else too."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """The port of the same."""
    http_connections: int = Field(default=800, ge=1)
    """Connections of one process that are open at once; more are refused with 503. Each is a file
    descriptor, of which a process often has 1,024."""
    http_connections_per_address: int = Field(default=400, ge=1)
    """The same of one client address, of IPv6 its /64. Behind a proxy all clients have the proxy's: set both alike."""
    http_head_timeout: float = Field(default=20.0, gt=0)
    """Seconds for a request's headers, from the opening of the connection or their first byte; then
    408."""
    http_body_timeout: float = Field(default=20.0, gt=0)
    """Seconds in each of which so many times `HTTP_BODY_RATE` bytes must arrive, else 408. A body may
    take any time in all: a gigabyte over a slow line is hours of work that goes on."""
    http_body_rate: int = Field(default=1024, ge=0)
    """Bytes a second; 0: one byte in each `HTTP_BODY_TIMEOUT` is enough."""
    http_drain_delay: float = Field(default=0.0, ge=0)
    """Seconds between SIGTERM, from which on `/readyz` answers 503, and the end of serving: as long as
    a load balancer may take to notice."""
    metrics_host: str = "127.0.0.1"
    """The address on which `/metrics` is served."""
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    """The port of the same: every process of a machine needs one of its own. 0: any that is free, named
    in the log."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is logged."""
    otel_exporter_otlp_endpoint: str | None = None
    """URL of an OpenTelemetry collector (OTLP over HTTP) to which traces are sent."""

    @property
    def http_limits(self) -> Limits:
        """What the process's HTTP server waits for, and for how long."""
        return Limits(
            connections=self.http_connections,
            connections_per_address=self.http_connections_per_address,
            head_timeout=self.http_head_timeout,
            body_timeout=self.http_body_timeout,
            body_rate=self.http_body_rate,
        )

    @property
    def nats_login(self) -> BusLogin:
        """How the process logs in."""
        return BusLogin(
            user=self.nats_user,
            password=self.nats_password.get_secret_value() if self.nats_password else None,
            ca_file=str(self.nats_ca_file) if self.nats_ca_file else None,
            creds_file=str(self.nats_creds_file) if self.nats_creds_file else None,
            nkey_seed_file=str(self.nats_nkey_seed_file) if self.nats_nkey_seed_file else None,
        )

    @model_validator(mode="after")
    def _is_one_user(self) -> "BusSettings":
        _ = self.nats_login
        return self

    @field_validator("nats_url")
    @classmethod
    def _names_a_server(cls, value: str) -> str:
        if not servers_of(value):
            raise ValueError("it names no server")
        return value


class ServiceSettings(BusSettings):
    """What a service with a database needs to be told besides."""

    database_url: SecretStr
    """The database, as the service's own login."""
    dalgo_schema_prefix: str = names.DEFAULT
    """What the schemas and roles of the installation begin with in the database: one to ten letters and
    digits in lower case. The same for `dalgo` and every service; two installations on one server need
    two."""
    database_pool_size: int = Field(default=4, ge=1, le=50)
    """Connections of a process to the database at most."""
    database_statement_cache: int = Field(default=100, ge=0)
    """Prepared statements of each connection; 0 behind a transaction pooler, which cannot keep prepared statements."""

    @field_validator("dalgo_schema_prefix")
    @classmethod
    def _is_a_prefix(cls, value: str) -> str:
        return names.checked(value)


def servers_of(nats_url: str) -> list[str]:
    """The servers that a comma-separated NATS_URL names."""
    return [part for part in (each.strip() for each in nats_url.split(",")) if part]


S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S]) -> S:
    """Read the environment; ends the process with one clear line for each setting that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            if not name:
                print(problem["msg"].removeprefix("Value error, "), file=sys.stderr)
                continue
            missing = problem["type"] == "missing"
            reason = problem["msg"].removeprefix("Value error, ")
            what = "is not set" if missing else f"does not fit: {reason}"
            example = EXAMPLES.get(name)
            hint = f" Example: {name}={example}" if example else ""
            print(f"Setting {name} {what}.{hint}", file=sys.stderr)
        sys.exit(2)
