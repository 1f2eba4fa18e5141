"""The one exception of the stack: a message for the person who typed `dalgo up`."""


class StackError(Exception):
    """Something the stack cannot mend by itself; says what it is and what to do."""
