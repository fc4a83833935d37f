"""Parts of the Runs page: profiles, evaluated settings, comparisons, actions on a result."""
