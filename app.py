"""The server: the shell of pages, the app's own HTTP routes, and whom it answers.

Start it with `streamlit run app.py`, from any folder: this file's folder comes first on the import path, so that
`pages` and `simclr_core` are found. It listens on this machine alone. `python app.py` is the same, and with
`SIMCLR_CLASS` (`make class`) opens it to a class, read-only.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pages.ui import classroom, state
from pages.ui.routes import ROUTES, NoDelay
from simclr_core.errors import ConfigError

try:
    HOSTS, OPTIONS = classroom.hosts(), classroom.options()
    app = st.App(
        Path(__file__).resolve().parent / "pages" / "shell.py",
        routes=ROUTES,
        # Streamlit checks allowedHosts on its own paths only; the custom routes need the same guard against DNS rebinding.
        middleware=[
            Middleware(classroom.Door),
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS),
            Middleware(NoDelay),
        ],
    )
    classroom.check_address(st.get_option("server.address"))
except ConfigError as error:
    raise SystemExit(str(error)) from None

if classroom.read_only():
    classroom.wall((state.runs_root(), state.ROOT, Path.home()))

if __name__ == "__main__":
    app.run(config=OPTIONS)
