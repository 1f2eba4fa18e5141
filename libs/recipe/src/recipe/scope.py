"""What a step may look at beside the table it is applied to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recipe.context import Context
from recipe.errors import misfit, shortened, unknown
from recipe.tables import Catalogue, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from recipe.checks import Requirement
    from recipe.frame import Frame


@dataclass(frozen=True)
class Scope:
    """The tables of the organisation, the moment and the time zone."""

    catalogue: Catalogue
    context: Context
    settle: "Callable[[Frame], Frame]"
    """Ends a query within the step: what follows reads its result. An expression that is used
    several times is settled first, or the statement would grow with every use of every use."""
    require: "Callable[[Requirement], None]"
    """States what the step needs of the data; it is looked at when the recipe is built."""
    origin: str = ""
    """Display name of the table that the recipe starts from."""

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            Misfit: `unknown_table`, of one without columns too: no other system filled it yet.
        """
        found = self.catalogue.find(name)
        if found is None:
            raise unknown("unknown_table", "table", name, self.catalogue.names())
        if not found.columns:
            message = (
                f"The table '{shortened(found.display_name)}' has no columns yet. "
                "Fill it and sync its source first."
            )
            raise misfit("unknown_table", message)
        return found
