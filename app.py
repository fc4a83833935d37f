"""Starts the dashboard: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware

from pages.ui.server import assets, guard, moved, warmed
from pages.ui.talk_stream import Talks

# A launcher, because a script with a folder `pages` beside it loses deep links on a server's first request.
app = st.App("pages/shell.py", middleware=[*map(Middleware, (guard, moved, assets, Talks))], lifespan=warmed)
