"""Starts the dashboard: `streamlit run app.py`."""

import streamlit as st
from starlette.middleware import Middleware

from pages.ui.serving import Assets, Guard, warmed
from pages.ui.streaming import Talks

# A launcher, because a script with a folder `pages` beside it loses deep links on a server's first request.
app = st.App("pages/shell.py", middleware=[Middleware(Guard), Middleware(Assets), Middleware(Talks)], lifespan=warmed)
