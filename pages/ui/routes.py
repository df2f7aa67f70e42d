"""HTTP routes beside the pages."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
