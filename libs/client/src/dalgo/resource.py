"""Resources: each call is described once; a client's driver decides whether it is awaited."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from dalgo.call import Call, Listing
from dalgo.driver import AsyncDriver, SyncDriver

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D", SyncDriver, AsyncDriver)


class Resource(Generic[D]):
    """A family of calls, bound to the driver that performs them."""

    def __init__(self, driver: D) -> None:
        self._driver = driver

    @property
    def driver(self) -> D:
        """Who performs the calls."""
        return self._driver


class endpoint(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a function that describes a call a method that performs it."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(
        self, resource: Resource[SyncDriver], owner: type | None = None
    ) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncDriver], owner: type | None = None
    ) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, resource: Resource[Any] | None, owner: type | None = None) -> Any:
        """The method, bound to a resource."""
        return self if resource is None else _bound(self._describe, resource.driver.perform)


class listed(Generic[P, T]):  # noqa: N801 - a decorator
    """As `endpoint`, for lists: the method gives an iterator over the items of all pages."""

    def __init__(self, describe: Callable[P, Listing[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(
        self, resource: Resource[SyncDriver], owner: type | None = None
    ) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncDriver], owner: type | None = None
    ) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, resource: Resource[Any] | None, owner: type | None = None) -> Any:
        """The method, bound to a resource."""
        return self if resource is None else _bound(self._describe, resource.driver.items)


def _bound(describe: Callable[..., Any], perform: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(describe)
    def method(*args: object, **options: object) -> object:
        return perform(describe(*args, **options))

    return method
