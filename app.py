"""The server: the shell of pages, the app's own HTTP routes, and the hosts it answers to.

Start it with `streamlit run app.py`, from any folder: this file's folder comes first on the import path, so that
`pages` and `simclr_core` are found.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pages.ui.routes import ROUTES, NoDelay

# Streamlit checks allowedHosts on its own paths only; the custom routes need the same guard against DNS rebinding.
HOSTS = list(st.get_option("server.allowedHosts") or ["127.0.0.1", "localhost"])

app = st.App(
    Path(__file__).resolve().parent / "pages" / "shell.py",
    routes=ROUTES,
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(NoDelay)],
)

if __name__ == "__main__":
    app.run()
