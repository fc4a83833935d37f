"""Starts the dashboard: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware

from pages.ui.server import assets, guard, warmed
from pages.ui.talk_stream import Talks

# A launcher, because a script with a folder `pages` beside it loses deep links on a server's first request.
app = st.App("pages/shell.py", middleware=[Middleware(guard), Middleware(assets), Middleware(Talks)], lifespan=warmed)
