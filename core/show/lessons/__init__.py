"""Numbers of the tour: arrays for its live figures, and sentences that follow from the profile. Numpy only.

Every sentence is computed: with another profile it says something else, and where the data do not bear out the usual
story it says so.
"""
