"""What can be done to the output of a layer: one file per perturbation, named by `core.specs.perturbations`."""

import core.specs.perturbations  # noqa: F401  (its table loads them: it comes before whoever names one of them)
