"""Which versions of PostgreSQL are taken."""

import pytest
from structlog.testing import capture_logs

from chassis.migrations import require_version


def test_a_server_that_is_too_old_is_refused_with_the_way_out() -> None:
    with pytest.raises(RuntimeError, match=r"PostgreSQL 15 is too old.* on 16 to 18\. Upgrade"):
        require_version(15)


def test_a_server_that_is_newer_than_known_is_warned_of() -> None:
    with capture_logs() as logged:
        for major in (16, 18, 19):
            require_version(major)
    assert [(line["event"], line["version"]) for line in logged] == [("postgresql_not_tested", 19)]
