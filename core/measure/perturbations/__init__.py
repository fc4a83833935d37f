"""What can be done to the output of a layer: one file per perturbation, named by `core.specs.perturbations`."""

import core.specs.perturbations
